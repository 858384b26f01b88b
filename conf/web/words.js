// SPDX-License-Identifier: MIT
// Everything the page says, in both languages. A text with a variable part is a function.

import {durationParts} from './time.js';

const number = new Intl.NumberFormat('en');
const chinese = new Intl.NumberFormat('zh-CN');
const s = (count, word) => `${number.format(count)} ${word}${count === 1 ? '' : 's'}`;

const EN = {
  other: '中文', otherLang: 'zh-CN', number: value => number.format(value),
  title: 'BKFlow task states',
  introTitle: 'Where does a BKFlow task stand?',
  intro: 'This page shows the nodes of a task, or of several tasks: what has finished, what runs, what failed, and how long it took. It asks the states service on this server and follows until the task has ended.',
  hintSecret: 'Where the secret comes from', hintSecretText: 'Whoever runs the service creates it, once for each application. The command prints it:',
  hintStays: 'Your secret stays in this page', hintStaysText: 'It is in this page’s memory until you leave it, and is sent in a request header to this server only. It is never stored, and never part of the address.',
  hintLink: 'Links to a task', hintLinkText: 'The address of this page may name the task, and also what is looked for. It never has a secret in it, so it can be passed on:',
  insecure: 'This connection is not encrypted: the secret will cross the network in the clear.',
  credentials: 'Credentials', account: 'Credentials and language', app: 'Application', secret: 'Secret', user: 'User', task: 'Task id',
  taskHint: 'or several', look: 'Show', looking: 'Asking…', change: 'Change', forget: 'Forget',
  knownAs: (app, user) => `${app}, as ${user}`,
  missing: 'Required', badTask: 'Whole numbers from 1 to 9223372036854775807', manyTasks: 'At most 100 tasks at once',
  taskTitle: id => `Task ${id}`, subtaskTitle: id => `Sub-task ${id}`, severalTitle: count => s(count, 'task'),
  crumbs: 'Back', backToTask: id => `Task ${id}`, backToList: count => `All ${s(count, 'task')}`,
  tools: 'More: follow, search, refresh', refresh: 'Refresh', auto: 'Follow', openAll: 'Expand all', closeAll: 'Collapse all',
  notify: 'Notify me', notifyHint: 'A notification of the browser when the task has ended, failed or been suspended',
  notifyRefused: 'The browser does not allow this page to notify you.',
  node: 'Node', state: 'State', timeline: zone => `Timeline, ${zone}`, duration: 'Duration', progress: 'Progress', close: 'Close',
  copy: 'Copy', copied: 'Copied', copyId: 'Copy the id', copyJson: 'Copy as JSON', notCopied: 'The browser did not copy. Mark the text instead.',
  keys: 'Arrow keys move and open, Enter shows details, F and Shift+F go to the next and the previous failed step, / searches, C copies the id, R refreshes.',
  treeLabel: title => `Nodes: ${title}`, now: 'now',
  states: {
    FINISHED: 'finished', RUNNING: 'running', FAILED: 'failed', SUSPENDED: 'suspended',
    NODE_SUSPENDED: 'step suspended', CREATED: 'not started', READY: 'ready', BLOCKED: 'blocked',
    REVOKED: 'revoked', LOOP_READY: 'ready to loop', ROLLING_BACK: 'rolling back',
    ROLL_BACK_SUCCESS: 'rolled back', ROLL_BACK_FAILED: 'roll-back failed',
  },
  steps: (done, all) => `${number.format(done)} of ${s(all, 'step')} finished`,
  startedAt: time => `started ${time}`, finishedAt: time => `finished ${time}`, ran: (from, to, long) => `${from} to ${to}, ${long}`,
  runs: (from, long) => `since ${from}, ${long} so far`, notBegun: 'not started yet',
  filterLabel: 'Show only steps in these states', only: (count, state) => `Only ${state}: ${s(count, 'step')}`,
  urgent: 'Failed and running', search: 'Find by id', searchHint: 'Node id or a part of it, a number like 2.1, or the id of a sub-task',
  clear: 'Show everything', shown: (found, all) => `${number.format(found)} of ${number.format(all)} nodes found`,
  nothingFound: 'No node is found.',
  troubles: {failed: count => `${s(count, 'failed step')}`, paused: count => s(count, 'suspended step')},
  placeOf: (at, all) => `${number.format(at)} of ${number.format(all)}`, previous: 'Previous', next: 'Next', showOne: 'Show it',
  notStarted: 'The task has been created but not started. This page shows it as soon as it starts.',
  noNodes: 'The task has just been started; no node has begun yet.',
  subtaskGone: (task, subtask) => `Task ${task} has no sub-task ${subtask}, or no longer.`,
  current: time => `Current · last answer ${time}`, updated: time => `Updated ${time}`, stale: time => `Not current: last answer ${time}`,
  staleSince: time => `What you see is from ${time}.`, still: time => `As of ${time} · not following`,
  over: time => `Ended: nothing more to come · last answer ${time}`,
  retries: n => `${number.format(n)} ${n === 1 ? 'retry' : 'retries'}`, loops: n => `loop ${number.format(n)}`, skipped: 'skipped', ignored: 'error ignored',
  subtask: id => `sub-task ${id}`, openSubtask: id => `Open sub-task ${id} on its own`,
  detail: {
    id: 'Node id', task_id: 'Sub-task', parent_id: 'Parent', root_id: 'Root', version: 'Version', start_time: 'Started', finish_time: 'Finished', elapsed: 'Duration',
    loop: 'Loop', retry: 'Retries', skip: 'Skipped', error_ignorable: 'May be ignored', error_ignored: 'Error ignored', state: 'State', children: 'Nodes below',
  },
  explain: {
    retry: n => (n === 0 ? 'none' : `${number.format(n)}: after failing it was run again ${n === 1 ? 'once' : `${number.format(n)} times`}`),
    loop: n => (n > 1 ? `${number.format(n)}: the flow has come here ${number.format(n)} times; states and times are of the last` : 'first pass'),
    skip: is => (is ? 'yes: it failed, and somebody let the flow go on without it' : 'no'),
    error_ignored: is => (is ? 'yes: it failed, and the flow went on by itself' : 'no'),
    version: 'of this execution; a retry gets a new one',
  },
  yes: 'yes', no: 'no', none: '–',
  duration_: parts => joined(parts, [' d', ' h', ' min', ' s'], ' '),
  message: 'Message', code: 'Code', trace: 'Trace id',
  wait: time => `You can try again in ${time}.`, again: time => `Trying again in ${time}.`,
  retryNow: 'Try now', tryingAgain: 'Trying again…', mayTry: 'You can try again now.',
  problems: {
    0: ['No answer', 'The server cannot be reached. Is your network up? This page keeps trying.'],
    proxy: ['The web server answered, not the states service', 'Something in front of the service is wrong. Whoever runs the web server should look at its error log.'],
    400: ['The request was not understood', 'Please check what you entered.'],
    40001: ['That is no task id', 'A task id is a whole number from 1 to 9223372036854775807.'],
    401: ['You are not let in', 'Please check application, secret and user.'],
    40101: ['Something is missing', 'Application, secret and user are all needed.'],
    40102: ['Application and secret do not fit', 'One of the two is wrong, or the application has been disabled. The service does not say which.'],
    40103: ['This user is not known', 'BKFlow has no active user of this name. Capital and small letters count.'],
    40105: ['This way in is switched off', 'The service accepts no application secrets here. Its operator can allow them.'],
    403: ['Not yours to see', 'You are known, but this task is not open to your application.'],
    40301: ['The task has no template', 'Without a template a task belongs to no application, so nobody can see it here.'],
    40302: ['The task belongs to no application', 'Its template is bound to none. Whoever maintains the template in BKFlow can bind it.'],
    40303: ['The task belongs to another application', 'Use that application’s code and secret, or check the task id.'],
    404: ['Nothing there', 'This address is unknown to the service.'],
    40401: ['The service is not where this page expects it', 'Whoever set it up should compare the web server’s configuration with the sample.'],
    40402: ['There is no such task', 'Please check the task id. A deleted or expired task cannot be seen either.'],
    40403: ['The task’s template is gone', 'It has been deleted, so it can no longer be told whose task this is.'],
    429: ['Too many failed logins', 'The service makes everybody wait who keeps giving a wrong secret or user.'],
    431: ['What you entered is too long', 'Please check application, secret and user.'],
    500: ['The service failed', 'Please report this with the trace id.'],
    50002: ['The task’s data are damaged', 'The engine’s rows of this task have no root node. Please report this with the trace id.'],
    50003: ['The task is too large', 'It has more nodes than the service is set up to show (max_nodes).'],
    503: ['The service is busy or its database is away', 'Nothing is wrong with your request. This page keeps trying.'],
    504: ['The database is too slow just now', 'Nothing is wrong with your request. This page keeps trying.'],
  },
};

const ZH = {
  other: 'English', otherLang: 'en', number: value => chinese.format(value),
  title: 'BKFlow 任务状态',
  introTitle: '任务执行到哪一步了？',
  intro: '查看一个或多个任务的节点执行情况：哪些已完成、哪些执行中、哪些失败，以及各自耗时。数据来自本服务器上的状态服务，并持续跟踪直至任务结束。',
  hintSecret: '应用密钥从哪里来', hintSecretText: '由服务管理员为每个应用创建一次，以下命令会显示密钥：',
  hintStays: '密钥只留在本页面', hintStaysText: '密钥仅保存在页面内存中，离开即清除；只通过请求头发送给本服务器，不写入存储，也不会出现在地址栏。',
  hintLink: '任务链接', hintLinkText: '页面地址可以带上任务 ID 和筛选条件，但绝不包含密钥，可放心转发：',
  insecure: '当前连接未加密：密钥将以明文在网络上传输。',
  credentials: '凭证', account: '凭证与语言', app: '应用', secret: '密钥', user: '用户', task: '任务 ID',
  taskHint: '可填多个', look: '查看', looking: '查询中…', change: '修改', forget: '清除',
  knownAs: (app, user) => `${app}，用户 ${user}`,
  missing: '必填', badTask: '1 到 9223372036854775807 之间的整数', manyTasks: '一次最多 100 个任务',
  taskTitle: id => `任务 ${id}`, subtaskTitle: id => `子任务 ${id}`, severalTitle: count => `${chinese.format(count)} 个任务`,
  crumbs: '返回', backToTask: id => `任务 ${id}`, backToList: count => `全部 ${chinese.format(count)} 个任务`,
  tools: '更多：跟踪、搜索、刷新', refresh: '刷新', auto: '持续跟踪', openAll: '全部展开', closeAll: '全部收起',
  notify: '结束时通知', notifyHint: '任务完成、失败或暂停时发送浏览器通知',
  notifyRefused: '浏览器不允许本页面发送通知。',
  node: '节点', state: '状态', timeline: zone => `时间线（${zone}）`, duration: '耗时', progress: '进度', close: '关闭',
  copy: '复制', copied: '已复制', copyId: '复制 ID', copyJson: '复制为 JSON', notCopied: '浏览器未能复制，请手动选中文本。',
  keys: '方向键移动和展开，回车查看详情，F / Shift+F 跳到下一个 / 上一个失败节点，/ 搜索，C 复制 ID，R 刷新。',
  treeLabel: title => `${title} 的节点`, now: '现在',
  states: {
    FINISHED: '已完成', RUNNING: '执行中', FAILED: '失败', SUSPENDED: '暂停', NODE_SUSPENDED: '节点暂停',
    CREATED: '未执行', READY: '准备中', BLOCKED: '阻塞', REVOKED: '已终止',
    LOOP_READY: '等待循环', ROLLING_BACK: '回滚中', ROLL_BACK_SUCCESS: '已回滚', ROLL_BACK_FAILED: '回滚失败',
  },
  steps: (done, all) => `已完成 ${chinese.format(done)} / ${chinese.format(all)} 个节点`,
  startedAt: time => `开始于 ${time}`, finishedAt: time => `结束于 ${time}`, ran: (from, to, long) => `${from} 至 ${to}，耗时 ${long}`,
  runs: (from, long) => `${from} 开始，已执行 ${long}`, notBegun: '尚未开始',
  filterLabel: '仅显示以下状态的节点', only: (count, state) => `仅看${state}：${chinese.format(count)} 个节点`,
  urgent: '失败和执行中', search: '按 ID 搜索', searchHint: '节点 ID 或其中一段、序号（如 2.1）、子任务 ID',
  clear: '显示全部', shown: (found, all) => `找到 ${chinese.format(found)} / ${chinese.format(all)} 个节点`,
  nothingFound: '没有符合条件的节点。',
  troubles: {failed: count => `${chinese.format(count)} 个失败节点`, paused: count => `${chinese.format(count)} 个暂停节点`},
  placeOf: (at, all) => `第 ${chinese.format(at)} / ${chinese.format(all)} 个`, previous: '上一个', next: '下一个', showOne: '定位',
  notStarted: '任务已创建，尚未开始执行。开始后本页会自动显示。',
  noNodes: '任务刚刚启动，还没有节点开始执行。',
  subtaskGone: (task, subtask) => `任务 ${task} 中没有子任务 ${subtask}，或已不存在。`,
  current: time => `实时 · 最近应答 ${time}`, updated: time => `更新于 ${time}`, stale: time => `非最新：最近应答 ${time}`,
  staleSince: time => `当前显示的是 ${time} 的数据。`, still: time => `截至 ${time} · 未跟踪`,
  over: time => `任务已结束，不再刷新 · 最近应答 ${time}`,
  retries: n => `重试 ${chinese.format(n)} 次`, loops: n => `第 ${chinese.format(n)} 次循环`, skipped: '已跳过', ignored: '已忽略错误',
  subtask: id => `子任务 ${id}`, openSubtask: id => `单独查看子任务 ${id}`,
  detail: {
    id: '节点 ID', task_id: '子任务', parent_id: '父节点', root_id: '根节点', version: '版本', start_time: '开始时间', finish_time: '结束时间', elapsed: '耗时',
    loop: '循环', retry: '重试', skip: '跳过', error_ignorable: '可忽略错误', error_ignored: '忽略错误', state: '状态', children: '下级节点',
  },
  explain: {
    retry: n => (n === 0 ? '无' : `${chinese.format(n)} 次：失败后重新执行了 ${chinese.format(n)} 次`),
    loop: n => (n > 1 ? `第 ${chinese.format(n)} 次：流程第 ${chinese.format(n)} 次执行到此，状态和时间均为最近一次` : '首次执行'),
    skip: is => (is ? '是：节点失败后被人工跳过，流程继续' : '否'),
    error_ignored: is => (is ? '是：节点失败，流程自动继续' : '否'),
    version: '本次执行的版本，重试后会变化',
  },
  yes: '是', no: '否', none: '–',
  duration_: parts => joined(parts, [' 天', ' 小时', ' 分', ' 秒'], ' '),
  message: '消息', code: '错误码', trace: '跟踪 ID',
  wait: time => `${time}后可以重试。`, again: time => `${time}后自动重试。`,
  retryNow: '立即重试', tryingAgain: '正在重试…', mayTry: '现在可以重试。',
  problems: {
    0: ['没有应答', '无法连接服务器，请检查网络。本页会继续重试。'],
    proxy: ['应答来自 Web 服务器而非状态服务', '服务前端出现问题，请 Web 服务器的维护者查看错误日志。'],
    400: ['无法理解该请求', '请检查所填内容。'],
    40001: ['任务 ID 无效', '任务 ID 是 1 到 9223372036854775807 之间的整数。'],
    401: ['未通过认证', '请检查应用、密钥和用户。'],
    40101: ['缺少凭证', '应用、密钥和用户都必须填写。'],
    40102: ['应用与密钥不匹配', '两者之一有误，或该应用已被停用；服务不会说明是哪一个。'],
    40103: ['用户不存在', 'BKFlow 中没有此有效用户，请注意大小写。'],
    40105: ['该认证方式未启用', '服务在此不接受应用密钥，可由其管理员开启。'],
    403: ['无权查看', '身份有效，但您的应用无权查看此任务。'],
    40301: ['任务没有模板', '没有模板的任务不属于任何应用，因此无法在此查看。'],
    40302: ['任务不属于任何应用', '其模板未绑定应用，可由模板维护者在 BKFlow 中绑定。'],
    40303: ['任务属于其他应用', '请使用该应用的编码和密钥，或检查任务 ID。'],
    404: ['没有找到', '服务不认识该地址。'],
    40401: ['服务不在本页预期的位置', '请部署者对照示例检查 Web 服务器配置。'],
    40402: ['任务不存在', '请检查任务 ID。已删除或已过期的任务同样无法查看。'],
    40403: ['任务的模板已不存在', '模板已被删除，无法再判断任务属于哪个应用。'],
    429: ['登录失败次数过多', '多次使用错误的密钥或用户后，服务会要求等待。'],
    431: ['所填内容过长', '请检查应用、密钥和用户。'],
    500: ['服务出错', '请附上跟踪 ID 报告此问题。'],
    50002: ['任务数据损坏', '该任务的引擎数据缺少根节点，请附上跟踪 ID 报告此问题。'],
    50003: ['任务过大', '节点数超过服务设置的上限（max_nodes）。'],
    503: ['服务繁忙或数据库不可用', '您的请求没有问题，本页会继续重试。'],
    504: ['数据库暂时过慢', '您的请求没有问题，本页会继续重试。'],
  },
};

// The two largest units that count, the smaller one with two digits.
function joined(parts, units, between) {
  const first = parts.findIndex((part, i) => part > 0 || i === parts.length - 1);
  return parts.slice(first, first + 2)
    .map((part, i) => (i > 0 ? String(part).padStart(2, '0') : number.format(part)) + units[first + i]).join(between);
}

export const languages = {en: EN, 'zh-cn': ZH};

export function preferredLanguage(wanted) {
  return /^zh\b/i.test(wanted) ? 'zh-cn' : 'en';
}

export function stateWord(words, state) {
  return Object.hasOwn(words.states, state) ? words.states[state] : String(state);
}

export function durationWords(words, seconds) {
  return words.duration_(durationParts(Math.max(0, seconds)));
}

// Title and advice. An answer without a code of ours came from something in front of the service.
export function problemWords(words, {status, code}) {
  if (status !== 0 && code === 0) {
    return words.problems.proxy;
  }
  return words.problems[code] ?? words.problems[status] ?? words.problems[Math.floor(status / 100) * 100]
    ?? words.problems[500];
}
