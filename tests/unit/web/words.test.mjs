// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import test from 'node:test';

import {durationWords, languages, preferredLanguage, problemWords, stateWord} from './words.js';

const paths = (value, path = '') => (value !== null && typeof value === 'object'
  ? Object.entries(value).flatMap(([key, part]) => paths(part, `${path}/${key}`)) : [`${path}:${typeof value}`]);

test('words: both languages say the same things', () => {
  const [english, chinese] = Object.values(languages).map(words => paths(words).sort());
  assert.deepEqual(english, chinese);
  assert.ok(english.length > 100);
});

test('words: nothing is said that the page does not use', () => {
  const sources = readdirSync('.').filter(name => /\.(js|html)$/.test(name) && name !== 'words.js')
    .map(name => readFileSync(name, 'utf8')).join('\n') + readFileSync('words.js', 'utf8').split('// The two largest units')[1];
  const unused = Object.keys(languages.en).filter(key => !new RegExp(`\\b${key}\\b`).test(sources));
  assert.deepEqual(unused, []);
});

test('words: the page uses none that is not there', () => {
  const html = readFileSync('index.html', 'utf8');
  const named = [...html.matchAll(/data-(?:text|label|hint)="(\w+)"/g)].map(([, key]) => key);
  assert.deepEqual(named.filter(key => typeof languages.en[key] !== 'string'), []);
  const modules = readdirSync('.').filter(name => name.endsWith('.js')).map(name => readFileSync(name, 'utf8')).join('\n');
  const used = [...modules.matchAll(/\bwords\.(\w+)/g)].map(([, key]) => key).filter(key => key !== 'js');
  assert.deepEqual(used.filter(key => !(key in languages.en)), []);
});

test('words: the language follows the browser', () => {
  assert.deepEqual(['zh', 'zh-CN', 'zh-Hant-TW', 'en-GB', 'de', 'zhx'].map(preferredLanguage),
    ['zh-cn', 'zh-cn', 'zh-cn', 'en', 'en', 'en']);
});

test('words: durations have two units', () => {
  const words = languages.en;
  assert.deepEqual([0, 59, 60, 3599, 3600, 90000, 86400 * 1234].map(seconds => durationWords(words, seconds)),
    ['0 s', '59 s', '1 min 00 s', '59 min 59 s', '1 h 00 min', '1 d 01 h', '1,234 d 00 h']);
  assert.equal(durationWords(languages['zh-cn'], 3725), '1 小时 02 分');
});

test('words: one and many', () => {
  assert.deepEqual([1, 2, 12345].map(languages.en.troubles.failed), ['1 failed step', '2 failed steps', '12,345 failed steps']);
  assert.deepEqual([1, 2].map(languages.en.retries), ['1 retry', '2 retries']);
});

test('words: an unknown state is called what it is called', () => {
  assert.deepEqual(['FAILED', 'NEW_ONE', 'constructor'].map(state => stateWord(languages.en, state)), ['failed', 'NEW_ONE', 'constructor']);
});

test('words: an answer of something else than the service is told apart', () => {
  assert.equal(problemWords(languages.en, {status: 503, code: 0}), languages.en.problems.proxy);
  assert.equal(problemWords(languages.en, {status: 0, code: 0}), languages.en.problems[0]);
  assert.equal(problemWords(languages.en, {status: 418, code: 41801}), languages.en.problems[400]);
});
