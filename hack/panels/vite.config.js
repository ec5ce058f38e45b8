// Grafana's packages look for a Node process.
export default {
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': {} },
  build: { chunkSizeWarningLimit: 20000 },
};
