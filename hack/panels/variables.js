// Interpolates the variables of a dashboard into queries, including Grafana's own ($__range and others).

const SCRAPES_SECONDS = 5;

/** The seconds between two points of a graph over `range` seconds. */
export const stepOf = (range, minimum = 0) =>
  Math.max(SCRAPES_SECONDS, minimum, Math.round(range / 300 / SCRAPES_SECONDS) * SCRAPES_SECONDS);

/** The value of every variable, and the text that stands for it above the dashboard. */
export function variablesOf(board, asked) {
  const shown = board.templating.list.map((variable) => {
    if (variable.type === 'datasource') return { ...variable, value: 'prometheus', text: 'Prometheus' };
    const chosen = asked.get(`var-${variable.name}`);
    return { ...variable, value: chosen ?? variable.allValue ?? '', text: chosen ?? 'All' };
  });
  return { shown, values: Object.fromEntries(shown.map(({ name, value }) => [name, value])) };
}

/** The query with all variables filled in; $1 of label_replace is none. */
export function filled(expr, values, range, step) {
  const own = {
    __range: `${range}s`,
    __range_s: range,
    __interval: `${step}s`,
    __rate_interval: `${Math.max(4 * SCRAPES_SECONDS, step + SCRAPES_SECONDS)}s`,
  };
  return expr.replace(/\$\{?([A-Za-z_]\w*)\}?/g, (whole, name) => own[name] ?? values[name] ?? whole);
}
