// Draws each kind of panel with Grafana's own components, except for the state timeline, which Grafana does not publish.
import React from 'react';
import * as grafana from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { States } from './states.jsx';

const KINDS = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Rows, 'state-timeline': States };

export function Visual(props) {
  const Kind = KINDS[props.panel.type];
  return props.frames.some((frame) => frame.length) ? <Kind {...props} /> : <Nothing {...props} />;
}

function Nothing({ panel, view }) {
  const stat = panel.type === 'stat';
  const style = {
    display: 'grid',
    height: '100%',
    placeItems: 'center',
    color: view.theme.colors.text.secondary,
    fontSize: stat ? 36 : 14,
  };
  return <div style={style}>{stat ? panel.fieldConfig.defaults.noValue : 'No data'}</div>;
}

function Repeated({ panel, frames, width, height, view, orientation, children }) {
  const values = grafana.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme: view.theme,
    data: frames,
    timeZone: 'utc',
  });
  return (
    <VizRepeater
      {...{ width, height, orientation }}
      source={values}
      getValues={() => values}
      renderCounter={1}
      autoGrid={orientation === 'auto'}
      itemSpacing={10}
      minVizHeight={10}
      maxVizHeight={300}
      getAlignmentFactors={grafana.getDisplayValueAlignmentFactors}
      renderValue={children}
    />
  );
}

function Stat(props) {
  const { colorMode, graphMode, justifyMode, textMode } = props.panel.options;
  return (
    <Repeated {...props} orientation="auto">
      {({ value, width, height, alignmentFactors, count }) => (
        <BigValue
          {...{ width, height, alignmentFactors, count, colorMode, graphMode, justifyMode, textMode }}
          theme={props.view.theme}
          value={value.display}
        />
      )}
    </Repeated>
  );
}

function Bars(props) {
  const { displayMode, showUnfilled, text, valueMode } = props.panel.options;
  return (
    <Repeated {...props} orientation="horizontal">
      {({ value, width, height, alignmentFactors }) => (
        <BarGauge
          {...{ width, height, alignmentFactors, displayMode, showUnfilled, text }}
          theme={props.view.theme}
          orientation="horizontal"
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          valueDisplayMode={valueMode}
          namePlacement="auto"
          itemSpacing={10}
        />
      )}
    </Repeated>
  );
}

function Lines({ panel, frames, width, height, view }) {
  const [from, to] = [view.from, view.to].map((time) => grafana.dateTime(time * 1000));
  return (
    <TimeSeries
      {...{ frames, width, height }}
      structureRev={1}
      timeRange={{ from, to, raw: { from, to } }}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
    />
  );
}

function Rows({ panel, frames, width, height }) {
  return (
    <TableNG
      {...{ width, height }}
      data={frames[0]}
      sortBy={panel.options.sortBy}
      fieldConfig={panel.fieldConfig}
      structureRev={1}
      enableVirtualization={false}
    />
  );
}
