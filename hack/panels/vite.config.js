// Grafana's packages expect the global `process` of Node.
export default {
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': {} },
  build: { chunkSizeWarningLimit: 20000 },
};
