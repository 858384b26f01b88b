// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import test from 'node:test';

import {barOf, clock, durationParts, makeAxis, moment, offsetOf, shortStamp, stamp, zoneName} from './time.js';

const AT = moment('2026-11-24 17:11:08 +0800');

test('time: a moment of the answer, in any zone', () => {
  assert.equal(AT, Date.UTC(2026, 10, 24, 9, 11, 8));
  assert.equal(moment('2026-11-24 05:41:08 -0330'), AT);
  for (const text of ['', '2026-11-24', '2026-11-24 17:11:08', 'x 2026-11-24 17:11:08 +0800']) {
    assert.ok(Number.isNaN(moment(text)), text);
  }
});

test('time: the zone of the answer has a name', () => {
  for (const [text, minutes, name] of [
    ['+0800', 480, 'UTC+8'], ['-0330', -210, 'UTC-3:30'], ['+0000', 0, 'UTC+0'], ['-0030', -30, 'UTC-0:30'],
  ]) {
    assert.equal(offsetOf(`2026-11-24 17:11:08 ${text}`), minutes);
    assert.equal(zoneName(minutes), name);
  }
  assert.equal(offsetOf(''), null);
  assert.equal(offsetOf(null), null);
});

test('time: written in the zone of the answer', () => {
  assert.equal(stamp(AT, 480), '2026-11-24 17:11:08');
  assert.equal(clock(AT, -210), '05:41:08');
});

test('time: the date is left out on the same day of that zone', () => {
  assert.equal(shortStamp(AT, AT + 6 * 3600e3, 480), '17:11:08');
  assert.equal(shortStamp(AT, AT + 7 * 3600e3, 480), '2026-11-24 17:11:08');
});

test('time: the axis has round times', () => {
  const labels = (seconds, most, running = false) => makeAxis({
    startMs: AT, endMs: AT + 1000 * seconds, nowMs: running ? AT + 1000 * seconds : null, offset: 480, most,
  }).ticks.map(({label}) => label);
  assert.deepEqual(labels(600, 5), ['17:12', '17:14', '17:16', '17:18', '17:20']);
  assert.deepEqual(labels(600, 3), ['17:15', '17:20']);
  assert.deepEqual(labels(10, 5), ['17:11:08', '17:11:10', '17:11:12', '17:11:14', '17:11:16', '17:11:18']);
  assert.deepEqual(labels(12 * 3600, 4), ['18:00', '21:00', '11-25', '03:00']);
  assert.deepEqual(labels(3 * 86400, 4), ['11-25', '11-26', '11-27']);
  assert.ok(labels(40 * 365 * 86400, 3).length > 0);
});

test('time: round is meant in the zone of the answer', () => {
  const {ticks} = makeAxis({startMs: AT, endMs: AT + 6 * 3600e3, nowMs: null, offset: 345, most: 6});
  assert.deepEqual(ticks.map(({label}) => label), ['15:00', '16:00', '17:00', '18:00', '19:00', '20:00']);
});

test('time: no more marks than have room', () => {
  for (let seconds = 1; seconds < 1e7; seconds = seconds * 2 + 1) {
    for (const most of [1, 3, 8]) {
      const axis = makeAxis({startMs: AT, endMs: AT + 1000 * seconds, nowMs: null, offset: 480, most});
      assert.ok(axis.ticks.length <= most + 1, `${seconds} s: ${axis.ticks.length} of ${most}`);
      assert.ok(axis.ticks.every(({at}) => at >= 0 && at <= 1));
    }
  }
});

test('time: what runs leaves room behind now', () => {
  const axis = makeAxis({startMs: AT, endMs: NaN, nowMs: AT + 100e3, offset: 480, most: 4});
  assert.ok(axis.now > 0.9 && axis.now < 1);
  assert.equal(makeAxis({startMs: AT, endMs: AT + 100e3, nowMs: null, offset: 480, most: 4}).now, null);
});

test('time: bars stay on the axis', () => {
  const axis = makeAxis({startMs: AT, endMs: AT + 100e3, nowMs: null, offset: 480, most: 4});
  assert.deepEqual(barOf(axis, AT + 50e3, 25), {left: 0.5, width: 0.25});
  assert.deepEqual(barOf(axis, AT - 50e3, 25), {left: 0, width: 0});
  assert.deepEqual(barOf(axis, AT + 90e3, 900), {left: 0.9, width: 0.09999999999999998});
  assert.equal(barOf(axis, NaN, 0), null);
});

test('time: a task that took no time has an axis', () => {
  const axis = makeAxis({startMs: AT, endMs: AT, nowMs: null, offset: 480, most: 4});
  assert.ok(axis.end > axis.start);
});

test('time: durations in days, hours, minutes, seconds', () => {
  assert.deepEqual(durationParts(90061), [1, 1, 1, 1]);
  assert.deepEqual(durationParts(59), [0, 0, 0, 59]);
});
