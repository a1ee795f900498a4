import type { JSX } from "preact";

const WIDTH = 240;
const HEIGHT = 48;
const EDGE = 3;

interface Point {
  at: number;
  value: number;
}

/** A line over time, from zero up. `label` says in words what it shows. */
export function Line({ points, label }: { points: Point[]; label: string }): JSX.Element {
  const { x, y } = scales(points);
  const path = points.map((point, index) => `${index ? "L" : "M"}${x(point.at)} ${y(point.value)}`).join("");
  const [first, last] = [points[0], points.at(-1)];
  return (
    <Plot label={label}>
      {first && last && points.length > 1 && (
        <>
          <path class="plot-area" d={`${path}L${x(last.at)} ${HEIGHT}L${x(first.at)} ${HEIGHT}Z`} />
          <path class="plot-line" d={path} />
        </>
      )}
    </Plot>
  );
}

/** A bar for each point, those of `bad` in another colour. */
export function Bars({ points, label }: { points: (Point & { bad: boolean })[]; label: string }): JSX.Element {
  const most = Math.max(...points.map((point) => point.value), 1e-9);
  const step = WIDTH / Math.max(points.length, 24);
  return (
    <Plot label={label}>
      {points.map((point, index) => {
        const height = Math.max(2, (point.value / most) * (HEIGHT - EDGE));
        return (
          <rect
            key={point.at}
            class={point.bad ? "plot-bar bad" : "plot-bar"}
            x={round(WIDTH - (points.length - index) * step)}
            y={round(HEIGHT - height)}
            width={round(Math.max(1, step - 1.5))}
            height={round(height)}
            rx="1"
          />
        );
      })}
    </Plot>
  );
}

function Plot({
  label,
  children,
}: {
  label: string;
  children: JSX.Element | JSX.Element[] | false | undefined;
}): JSX.Element {
  return (
    <svg class="plot" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <line class="plot-base" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {children}
    </svg>
  );
}

function scales(points: Point[]) {
  const times = points.map((point) => point.at);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const most = Math.max(...points.map((point) => point.value), 1);
  return {
    x: (at: number) => round(((at - from) / Math.max(to - from, 1)) * WIDTH),
    y: (value: number) => round(HEIGHT - EDGE - (value / most) * (HEIGHT - 2 * EDGE)),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
