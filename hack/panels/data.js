// Converts responses of Prometheus to data frames as Grafana's data source does, and applies transformations and field settings.
import * as grafana from '@grafana/data';
import { lastValueFrom } from 'rxjs';
import { filled, stepOf } from './variables.js';

const { FieldType, toDataFrame } = grafana;

const transformers = new Map(Object.values(grafana.standardTransformers).map((each) => [each.id, each]));
grafana.standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((each) => ({ id: each.id, name: each.name, transformation: async () => each })),
);

/** What the panel shows; `view` is the time range in seconds, the variables, the theme and where Prometheus is. */
export async function framesOf(panel, view) {
  const raw = await Promise.all(panel.targets.map((target) => answer(target, panel, view)));
  return settled(panel, view, await transformed(panel, raw.flat()));
}

async function answer(target, panel, view) {
  const range = view.to - view.from;
  const step = stepOf(range, seconds(panel.interval));
  const [from, to] = [view.from, view.to].map((time) => Math.floor(time / step) * step);
  const asked = new URLSearchParams({ query: filled(target.expr, view.values, range, step) });
  const times = target.instant ? { time: view.to } : { start: from, end: to, step };
  Object.entries(times).forEach(([name, value]) => asked.set(name, value));
  const url = `${view.prometheus}/api/v1/query${target.instant ? '' : '_range'}?${asked}`;
  const said = await (await fetch(url)).json();
  if (said.status !== 'success') throw new Error(`${said.error}: ${asked.get('query')}`);
  const series = said.data.result.map(({ metric, values, value }) => ({ labels: metric, points: values ?? [value] }));
  return target.format === 'table' ? [table(target, panel, series)] : series.map((each) => timeSeries(target, each));
}

const seconds = (interval = '0s') => parseInt(interval) * (interval.endsWith('m') ? 60 : 1);

function timeSeries(target, { labels, points }) {
  const name = target.legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? '');
  const automatic = Object.values(labels).join(' ') || target.expr;
  const displayNameFromDS = target.legendFormat === '__auto' ? automatic : name;
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map(([time]) => time * 1000) },
      { name: 'Value', type: FieldType.number, labels, config: { displayNameFromDS }, values: points.map(([, v]) => +v) },
    ],
  });
}

function table(target, panel, series) {
  const names = [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))].sort();
  const rows = series.flatMap(({ labels, points }) => points.map(([time, value]) => ({ labels, time, value })));
  const value = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: rows.map(({ time }) => time * 1000) },
      ...names.map((name) => ({ name, type: FieldType.string, values: rows.map(({ labels }) => labels[name] ?? '') })),
      { name: value, type: FieldType.number, values: rows.map((row) => +row.value) },
    ],
  });
}

async function transformed(panel, frames) {
  const context = { interpolate: (text) => text };
  return lastValueFrom(grafana.transformDataFrame(panel.transformations ?? [], frames, context));
}

function settled(panel, view, frames) {
  frames.forEach((frame, index) => {
    frame.fields.forEach((field) => (field.state = { ...field.state, seriesIndex: index }));
  });
  const color = { mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' };
  const { defaults, overrides } = structuredClone(panel.fieldConfig);
  const done = grafana.applyFieldOverrides({
    data: frames,
    fieldConfig: { defaults: { color, ...defaults }, overrides },
    fieldConfigRegistry: registry(panel),
    replaceVariables: (text) => text,
    theme: view.theme,
    timeZone: 'utc',
  });
  grafana.cacheFieldDisplayNames(done);
  return done;
}

function registry(panel) {
  const { identityOverrideProcessor: same, numberOverrideProcessor: number } = grafana;
  const standard = {
    color: same,
    decimals: number,
    displayName: grafana.displayNameOverrideProcessor,
    links: same,
    mappings: grafana.valueMappingsOverrideProcessor,
    max: number,
    min: number,
    noValue: grafana.stringOverrideProcessor,
    thresholds: grafana.thresholdsOverrideProcessor,
    unit: grafana.unitOverrideProcessor,
  };
  const properties = panel.fieldConfig.overrides.flatMap((override) => override.properties);
  const own = properties.map(({ id }) => id.match(/^custom\.(.*)/)?.[1]).filter(Boolean);
  const custom = new Set([...Object.keys(panel.fieldConfig.defaults.custom ?? {}), ...own]);
  const all = new grafana.FieldConfigOptionsRegistry();
  const item = (id, process) => ({ id, path: id, name: id, process, shouldApply: () => true, settings: {} });
  Object.entries(standard).forEach(([id, process]) => all.register(item(id, process)));
  custom.forEach((name) => all.register({ ...item(`custom.${name}`, same), path: name, isCustom: true }));
  return all;
}
