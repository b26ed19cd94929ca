import { expect, test } from 'vitest';
import {
  duration,
  lengthOf,
  moved,
  point,
  positionOf,
  spanOf,
  ticks,
  zoomed,
  zoomOf,
} from '../../src/web/span';

const END = 10_000_000;

test('a span stays within the run, however far it is moved', () => {
  const span = { fromNs: 4_000_000, toNs: 6_000_000 };
  expect(moved(span, 0.5, END)).toEqual({ fromNs: 5_000_000, toNs: 7_000_000 });
  expect(moved(span, -9, END)).toEqual({ fromNs: 0, toNs: 2_000_000 });
  expect(moved(span, 9, END)).toEqual({ fromNs: 8_000_000, toNs: END });
});

test('zooming keeps the time under the pointer where it is', () => {
  expect(zoomed({ fromNs: 0, toNs: 8_000_000 }, 0.5, 2_000_000, END)).toEqual({
    fromNs: 1_000_000,
    toNs: 5_000_000,
  });
});

test('no span is longer than the run or shorter than a microsecond', () => {
  const whole = { fromNs: 0, toNs: END };
  expect(zoomed(whole, 100, 5_000_000, END)).toEqual(whole);
  expect(zoomed(whole, 1e-9, 5_000_000, END)).toEqual({ fromNs: 4_999_500, toNs: 5_000_500 });
});

test('a run shorter than the shortest span is shown whole', () => {
  expect(spanOf(5, 10, 300)).toEqual({ fromNs: 0, toNs: 300 });
});

test('the sliders say how far it is zoomed in and where', () => {
  expect(zoomOf({ fromNs: 0, toNs: END }, END)).toBe(0);
  expect(zoomOf({ fromNs: 5000, toNs: 6000 }, END)).toBe(1);
  expect(lengthOf(0, END)).toBe(END);
  expect(lengthOf(0.5, END)).toBeCloseTo(100_000);
  expect(lengthOf(1, END)).toBeCloseTo(1000);
  expect(positionOf({ fromNs: 0, toNs: END }, END)).toBe(0);
  expect(positionOf({ fromNs: 4_500_000, toNs: 5_500_000 }, END)).toBe(0.5);
});

test('ticks are at round times, as many as there is room for', () => {
  expect(ticks({ fromNs: 1_300_000, toNs: 3_100_000 }, 4)).toEqual([
    1_500_000, 2_000_000, 2_500_000, 3_000_000,
  ]);
});

test('times are written in the unit that suits them', () => {
  expect([999, 1500, 2_345_678, 61e9].map((ns) => duration(ns))).toEqual([
    '999 ns',
    '1.5 µs',
    '2.35 ms',
    '61 s',
  ]);
  expect([duration(0), point(1_500_000, 500_000), point(2e9, 1e9)]).toEqual([
    '0 ns',
    '0.0015 s',
    '2 s',
  ]);
});
