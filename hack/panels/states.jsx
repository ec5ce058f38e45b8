// Draws a state timeline: a row for each field, with a block for as long as its value stays the same.
import React from 'react';
import { FieldType, formattedValueToString, getFieldDisplayName } from '@grafana/data';

const AXIS = 24;
const LETTER = 7;

export function States({ panel, frames, width, height, view }) {
  const lines = frames.flatMap((frame) => {
    const time = frame.fields.find((field) => field.type === FieldType.time);
    const states = frame.fields.filter((field) => field !== time);
    return states.map((field) => ({ name: getFieldDisplayName(field, frame, frames), blocks: blocks(time, field, view) }));
  });
  const left = 20 + LETTER * Math.max(...lines.map((line) => line.name.length));
  const tall = (height - AXIS) / lines.length;
  const x = (time) => left + ((width - left) * (time - view.from)) / (view.to - view.from);
  const ticks = Array.from({ length: 7 }, (_, index) => view.from + ((index + 0.5) * (view.to - view.from)) / 7);
  const { text } = view.theme.colors;
  return (
    <div style={{ position: 'relative', width, height, fontSize: 12, color: text.primary }}>
      {lines.map((line, index) => (
        <div key={line.name} style={{ position: 'absolute', top: index * tall, height: tall, width }}>
          <span style={{ position: 'absolute', top: tall / 2 - 8, right: width - left + 8 }}>{line.name}</span>
          {line.blocks.map((block) => (
            <Block key={block.from} block={block} x={x} tall={tall} panel={panel} view={view} />
          ))}
        </div>
      ))}
      {ticks.map((tick) => (
        <span key={tick} style={{ position: 'absolute', bottom: 0, left: x(tick) - 20, color: text.secondary }}>
          {new Date(tick * 1000).toISOString().slice(11, 16)}
        </span>
      ))}
    </div>
  );
}

function Block({ block, x, tall, panel, view }) {
  const wide = Math.max(1, x(block.to) - x(block.from));
  const high = tall * panel.options.rowHeight;
  const style = {
    position: 'absolute',
    left: x(block.from),
    top: (tall - high) / 2,
    width: wide,
    height: high,
    lineHeight: `${high}px`,
    padding: wide > 8 ? '0 4px' : 0,
    boxSizing: 'border-box',
    overflow: 'hidden',
    whiteSpace: 'nowrap',
    background: block.color,
    color: view.theme.colors.getContrastText(block.color),
    opacity: panel.fieldConfig.defaults.custom.fillOpacity / 100,
  };
  return <div style={style}>{wide > 8 + LETTER * block.text.length ? block.text : ''}</div>;
}

function blocks(time, field, view) {
  const points = Array.from(time.values, (at, index) => ({ at: at / 1000, value: field.values[index] }));
  const found = [];
  for (const { at, value } of points.sort((a, b) => a.at - b.at)) {
    const last = found.at(-1);
    if (last) last.to = at;
    if (last?.value === value) continue;
    const shown = field.display(value);
    found.push({ value, from: at, to: view.to, text: formattedValueToString(shown), color: shown.color });
  }
  if (found.length) found.at(-1).to = view.to;
  return found;
}
