// SPDX-License-Identifier: MIT
// Moments, and how they are written. All times on the page are in one zone: that of the answer's own times.

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
// What a round time is: seconds, minutes, hours, days.
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map(seconds => 1000 * seconds), ...[1, 2, 5, 10, 15, 30].map(minutes => MINUTE * minutes),
  ...[1, 2, 3, 6, 12].map(hours => 60 * MINUTE * hours), ...[1, 2, 7, 14, 30, 90, 365].map(days => DAY * days),
];
const ANSWERED = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)$/;

// Milliseconds of "2026-11-24 17:11:08 +0800"; NaN for anything else.
export function moment(text) {
  return ANSWERED.test(text) ? Date.parse(text.replace(ANSWERED, '$1T$2$3:$4')) : NaN;
}

// Minutes east of Greenwich in such a text; null without one.
export function offsetOf(text) {
  const [, , , hours, minutes] = ANSWERED.exec(text ?? '') ?? [];
  return hours === undefined ? null : Math.sign(parseInt(hours + '1', 10)) * (60 * Math.abs(+hours) + +minutes);
}

// "UTC+8", "UTC-3:30".
export function zoneName(offset) {
  const minutes = Math.abs(offset) % 60;
  return `UTC${offset < 0 ? '-' : '+'}${Math.floor(Math.abs(offset) / 60)}${minutes ? `:${two(minutes)}` : ''}`;
}

const two = number => String(number).padStart(2, '0');

// "2026-11-24 17:11:08"
export function stamp(ms, offset) {
  return new Date(ms + offset * MINUTE).toISOString().slice(0, 19).replace('T', ' ');
}

export const clock = (ms, offset) => stamp(ms, offset).slice(11);

// The shortest that tells when it was to somebody at `nowMs`: without the date on the same day.
export function shortStamp(ms, nowMs, offset) {
  const text = stamp(ms, offset);
  return text.slice(0, 10) === stamp(nowMs, offset).slice(0, 10) ? text.slice(11) : text;
}

// The axis of a timeline: from `startMs` to a little beyond `nowMs` where something runs (else `nowMs` is null), else to
// `endMs`. With at most `most` marks at round times. {start, end, now, ticks: [{at, label}]}; places are from 0 to 1.
export function makeAxis({startMs, endMs, nowMs, offset, most}) {
  const start = startMs;
  const until = Math.max(nowMs ?? endMs, start + 1000);
  const end = nowMs === null ? until : until + (until - start) / 25;
  const step = STEPS.find(length => (end - start) / length <= most) ?? STEPS.at(-1);
  const place = ms => (ms - start) / (end - start);
  const ticks = [];
  const first = Math.ceil((start + offset * MINUTE) / step) * step - offset * MINUTE;
  for (let at = first; at <= end; at += step) {
    ticks.push({at: place(at), label: label(at, step, offset)});
  }
  return {start, end, now: nowMs === null ? null : place(until), ticks};
}

function label(ms, step, offset) {
  const text = stamp(ms, offset);
  if (step >= DAY || text.endsWith('00:00:00')) {
    return text.slice(5, 10);
  }
  return step >= MINUTE ? text.slice(11, 16) : text.slice(11);
}

// Where a bar stands on an axis: {left, width}, from 0 to 1; null for a node without a start.
export function barOf(axis, startedAt, seconds) {
  if (Number.isNaN(startedAt)) {
    return null;
  }
  const limit = ms => Math.min(1, Math.max(0, (ms - axis.start) / (axis.end - axis.start)));
  const left = limit(startedAt);
  return {left, width: limit(startedAt + 1000 * seconds) - left};
}

// [days, hours, minutes, seconds]
export function durationParts(seconds) {
  return [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
}
