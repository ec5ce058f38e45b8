// Renders a dashboard with data from a Prometheus. The URL selects it: ?board=sagemaker-job&seconds=900&var-job=...&prometheus=...
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import React, { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { ThemeContext, createTheme } from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { framesOf } from './data.js';
import { variablesOf } from './variables.js';
import { Visual } from './visuals.jsx';

// Grafana's grid: 24 columns, cells of 30 pixels with 8 between them.
const WIDTH = 1600;
const CELL = 38;
const GAP = 8;
const theme = createTheme({ colors: { mode: 'dark' } });

class Guarded extends React.Component {
  state = {};
  static getDerivedStateFromError = (error) => ({ error });
  render = () => (this.state.error ? <Mistake error={this.state.error} /> : this.props.children);
}

const Mistake = ({ error }) => <pre style={{ color: theme.colors.error.text, whiteSpace: 'pre-wrap' }}>{String(error)}</pre>;

function Panel({ panel, view }) {
  const [frames, setFrames] = useState();
  const [error, setError] = useState();
  useEffect(() => void framesOf(panel, view).then(setFrames, setError), []);
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [(w * WIDTH) / 24 - GAP, h * CELL - GAP];
  return (
    <div style={{ position: 'absolute', left: (x * WIDTH) / 24 + GAP / 2, top: y * CELL, width, height }}>
      <PanelChrome {...{ width, height }} title={panel.title} padding={panel.type === 'table' ? 'none' : 'md'}>
        {(width, height) => (
          <Guarded>
            {error && <Mistake error={error} />}
            {frames && <Visual {...{ panel, frames, view, width, height }} />}
          </Guarded>
        )}
      </PanelChrome>
    </div>
  );
}

function Row({ panel }) {
  const style = { position: 'absolute', left: GAP, top: panel.gridPos.y * CELL + 4, fontSize: 16, fontWeight: 500 };
  const inside = panel.collapsed ? ` (${panel.panels.length})` : '';
  return (
    <div style={style}>
      {panel.collapsed ? '\u203a' : '\u2304'} {panel.title}
      {inside}
    </div>
  );
}

function Header({ board, variables, view }) {
  const chip = {
    border: `1px solid ${theme.colors.border.medium}`,
    background: theme.colors.background.primary,
    marginRight: GAP,
    padding: '4px 8px',
  };
  return (
    <div style={{ height: 76, padding: '10px 8px', boxSizing: 'border-box' }}>
      <div style={{ fontSize: 18, marginBottom: 8 }}>{board.title}</div>
      <span style={{ ...chip, float: 'right' }}>Last {(view.to - view.from) / 60} minutes</span>
      {variables.shown.map(({ name, label, text }) => (
        <span key={name} style={chip}>
          <span style={{ color: theme.colors.text.secondary }}>{label}</span>&ensp;{text}
        </span>
      ))}
    </div>
  );
}

async function start() {
  const asked = new URLSearchParams(location.search);
  const board = await (await fetch(`${asked.get('board')}.json`)).json();
  const variables = variablesOf(board, asked);
  const to = Date.now() / 1000;
  const range = Number(asked.get('seconds') ?? 900);
  const view = { prometheus: asked.get('prometheus'), from: to - range, to, values: variables.values, theme };
  // Grafana's components measure texts before they draw, so fonts must be loaded first.
  await Promise.all([400, 500].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
  const height = 80 + CELL * Math.max(...board.panels.map(({ gridPos: { y, h } }) => y + h));
  const page = { width: WIDTH, height, background: theme.colors.background.canvas, color: theme.colors.text.primary };
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={page}>
        <Header {...{ board, variables, view }} />
        <div style={{ position: 'relative' }}>
          {board.panels.map((panel) =>
            panel.type === 'row' ? <Row key={panel.id} panel={panel} /> : <Panel key={panel.id} {...{ panel, view }} />,
          )}
        </div>
      </div>
    </ThemeContext.Provider>,
  );
}

start();
