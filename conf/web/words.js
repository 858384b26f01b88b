// SPDX-License-Identifier: MIT
// Everything the page says, in both languages. A text with a variable part is a function.

const EN = {
  other: '中文', otherLang: 'zh-CN',
  title: 'BKFlow task states',
  insecure: 'This connection is not encrypted: the secret will cross the network in the clear.',
  credentials: 'Credentials', app: 'Application', secret: 'Secret', user: 'User', task: 'Task id',
  look: 'Show states', looking: 'Asking…', change: 'Change', forget: 'Forget',
  promise: 'What you enter stays in this page’s memory until it is closed. It is sent to this server in a request header, and nowhere else.',
  knownAs: (app, user) => `${app}, as ${user}`,
  missing: 'Required', badTask: 'A whole number from 1 to 9223372036854775807',
  taskTitle: id => `Task ${id}`,
  refresh: 'Refresh', auto: 'Refresh every 5 s', openAll: 'Expand all', closeAll: 'Collapse all',
  node: 'Node', state: 'State', timeline: 'Timeline', duration: 'Duration', close: 'Close', copy: 'Copy', copied: 'Copied',
  keys: 'Arrow keys move and open, Space opens or closes, Enter shows details, F goes to the next failed step, R refreshes.',
  treeLabel: id => `Nodes of task ${id}`,
  states: {
    FINISHED: 'finished', RUNNING: 'running', FAILED: 'failed', SUSPENDED: 'suspended',
    NODE_SUSPENDED: 'step suspended', CREATED: 'not started', READY: 'ready', BLOCKED: 'blocked',
    REVOKED: 'revoked', LOOP_READY: 'ready to loop', ROLLING_BACK: 'rolling back',
    ROLL_BACK_SUCCESS: 'rolled back', ROLL_BACK_FAILED: 'roll-back failed',
  },
  steps: (done, all) => `${done} of ${all} ${all === 1 ? 'step' : 'steps'} finished`,
  startedAt: time => `started ${time}`, finishedAt: time => `finished ${time}`,
  jump: (count, state) => `${count} ${state}: go to the next`,
  notStarted: 'The task has been created but not started. This page shows it as soon as it starts.',
  noNodes: 'The task has just been started; no node has begun yet.',
  updated: time => `Updated ${time}`, stale: time => `Last answer at ${time}`, paused: 'paused while this tab is hidden',
  over: 'Ended: nothing more to refresh',
  retries: n => `${n} ${n === 1 ? 'retry' : 'retries'}`, loops: n => `loop ${n}`, skipped: 'skipped', ignored: 'error ignored',
  detail: {
    id: 'Node id', parent_id: 'Parent', version: 'Version', start_time: 'Started', finish_time: 'Finished',
    loop: 'Loop', retry: 'Retries', skip: 'Skipped', error_ignored: 'Error ignored', level: 'Level', children: 'Nodes below',
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
  other: 'English', otherLang: 'en',
  title: 'BKFlow 任务状态',
  insecure: '当前连接未加密：密钥将以明文在网络上传输。',
  credentials: '凭证', app: '应用', secret: '密钥', user: '用户', task: '任务 ID',
  look: '查看状态', looking: '查询中…', change: '修改', forget: '清除',
  promise: '所填内容只保存在本页面内存中，关闭即清除；仅通过请求头发送给本服务器，不会发往别处。',
  knownAs: (app, user) => `${app}，用户 ${user}`,
  missing: '必填', badTask: '1 到 9223372036854775807 之间的整数',
  taskTitle: id => `任务 ${id}`,
  refresh: '刷新', auto: '每 5 秒刷新', openAll: '全部展开', closeAll: '全部收起',
  node: '节点', state: '状态', timeline: '时间线', duration: '耗时', close: '关闭', copy: '复制', copied: '已复制',
  keys: '方向键移动和展开，空格键展开或收起，回车键查看详情，F 跳到下一个失败步骤，R 刷新。',
  treeLabel: id => `任务 ${id} 的节点`,
  states: {
    FINISHED: '已完成', RUNNING: '执行中', FAILED: '失败', SUSPENDED: '已暂停', NODE_SUSPENDED: '节点暂停',
    CREATED: '未执行', READY: '准备中', BLOCKED: '阻塞', REVOKED: '已终止',
    LOOP_READY: '等待循环', ROLLING_BACK: '回滚中', ROLL_BACK_SUCCESS: '已回滚', ROLL_BACK_FAILED: '回滚失败',
  },
  steps: (done, all) => `已完成 ${done} / ${all} 个步骤`,
  startedAt: time => `开始于 ${time}`, finishedAt: time => `结束于 ${time}`,
  jump: (count, state) => `${state} ${count} 个：跳到下一个`,
  notStarted: '任务已创建，尚未开始执行。开始后本页会自动显示。',
  noNodes: '任务刚刚启动，还没有节点开始执行。',
  updated: time => `更新于 ${time}`, stale: time => `最近一次应答：${time}`, paused: '标签页在后台，已暂停',
  over: '已结束，不再刷新',
  retries: n => `重试 ${n} 次`, loops: n => `第 ${n} 次循环`, skipped: '已跳过', ignored: '已忽略错误',
  detail: {
    id: '节点 ID', parent_id: '父节点', version: '版本', start_time: '开始时间', finish_time: '结束时间',
    loop: '循环', retry: '重试次数', skip: '已跳过', error_ignored: '已忽略错误', level: '层级', children: '下级节点',
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
    .map((part, i) => (i > 0 ? String(part).padStart(2, '0') : part) + units[first + i]).join(between);
}

export const languages = {en: EN, 'zh-cn': ZH};

export function preferredLanguage() {
  return /^zh\b/i.test(navigator.language) ? 'zh-cn' : 'en';
}

export function stateWord(words, state) {
  return words.states[state] ?? state;
}

export function durationWords(words, seconds) {
  return words.duration_([
    Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60]);
}

// Title and advice. An answer without a code of ours came from something in front of the service.
export function problemWords(words, {status, code}) {
  if (status !== 0 && code === 0) {
    return words.problems.proxy;
  }
  return words.problems[code] ?? words.problems[status] ?? words.problems[Math.floor(status / 100) * 100]
    ?? words.problems[500];
}
