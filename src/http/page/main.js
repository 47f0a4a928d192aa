// The page as a whole: what came is shown, at most as often as the screen is drawn.
const cards = new Map();
let latest = null;
let due = false;

const sum = (pools, value) => pools.reduce((total, pool) => total + (value(pool) || 0), 0);

function showTotals(pools) {
	const waiting = (key) => sum(pools, (pool) => (pool.sockets || []).reduce((total, socket) => total + (socket[key] || 0), 0));
	const memory = sum(pools, (pool) => (pool.workers || []).reduce((total, worker) => total + (worker.resident || 0), 0));
	showPairs(byId('totals'), [
		['Workers', number(sum(pools, (pool) => pool.live)), `of ${number(sum(pools, (pool) => pool.max_workers))}` +
			(memory ? `, ${bytes(memory)}` : '')],
		['Busy', number(sum(pools, (pool) => pool.busy))],
		['Idle', number(sum(pools, (pool) => pool.idle))],
		['Waiting connections', number(waiting('waiting')), waiting('waiting_max') ? `at most ${number(waiting('waiting_max'))}` : ''],
		['Jobs a second', rate(sum(pools, (pool) => pool.jobs_per_second)), `${number(sum(pools, (pool) => pool.jobs))} in all`],
	]);
}

function showPools(status) {
	const names = status.pools.map((pool) => pool.name);
	for (const [name, card] of cards) {
		if (!names.includes(name)) {
			card.node.remove();
			cards.delete(name);
			histories.delete(name);
		}
	}
	for (const pool of status.pools) {
		if (!cards.has(pool.name)) {
			cards.set(pool.name, new PoolCard(pool.name));
			byId('pools').append(cards.get(pool.name).node);
		}
		cards.get(pool.name).update(pool, status.time);
	}
}

function notices(status) {
	const found = [];
	const {reload} = status;
	if (reload && reload.state === 'failed')
		found.push(['bad', `The ${reload.action} at ${clock(reload.at)} was given up: ${reload.reason}`]);
	if (reload && reload.state === 'rolling')
		found.push(['warn', `A ${reload.action} is under way.`]);
	if (status.log_lines_lost)
		found.push(['warn', `${counted(status.log_lines_lost, 'log line', 'log lines')} could not be written.`]);
	return found;
}

function showNotices(status) {
	const found = notices(status);
	if (found.join() === showNotices.text)
		return;
	showNotices.text = found.join();
	byId('notices').replaceChildren(...found.map(([kind, text]) => make('p', {class: `notice ${kind}`}, text)));
	if (found.length)
		announcer.say(found[0][1]);
}

function showHead(status) {
	const kind = {running: 'good', reloading: 'good', stopping: 'bad'}[status.phase] || 'warn';
	setText(byId('name'), status.name);
	document.title = `${status.name}: ${sum(status.pools, (pool) => pool.busy)} busy of ${sum(status.pools, (pool) => pool.live)}`;
	byId('phase').hidden = false;
	setAttribute(byId('phase'), 'class', `pill ${kind}`);
	if (byId('phase').textContent && byId('phase').textContent !== status.phase)
		announcer.say(`The supervisor is ${status.phase}`);
	setText(byId('phase'), status.phase);
	const {open, limit} = status.descriptors || {};
	setText(byId('facts'), `preforkd ${status.version}, pid ${status.pid}, ${status.config}, up for ${duration(status.uptime)}, ` +
		`longest loop turn ${duration(status.loop_lag_max || 0)}, ${open} of ${limit} descriptors`);
}

function show() {
	due = false;
	showHead(latest);
	showNotices(latest);
	showTotals(latest.pools);
	showPools(latest);
	workerTable.update(latest.pools);
}

function takeStatus(status) {
	latest = status;
	if (!due)
		requestAnimationFrame(show);
	due = true;
}

function takeState(state) {
	const link = byId('link');
	const words = {live: 'Live', polling: 'Polling', lost: 'Not connected, trying again', waiting: 'Connecting'};
	link.className = `link ${state}`;
	setText(link, words[state]);
	byId('main').classList.toggle('stale', state === 'lost');
}

workerTable.start();
eventFeed.start();
connection.start(takeStatus, (line) => eventFeed.add(line), takeState);
