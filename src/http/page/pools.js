// One card a pool: bar, board, decision, numbers, charts.
const WORDS = {busy: 'busy', idle: 'idle', unknown: 'unknown', starting: 'starting', retiring: 'leaving'};
const LETTERS = {idle: '_', starting: '+', unknown: '?', retiring: 'R', stopping: '-', killed: 'x'};

const inWords = (pool) => STATES.filter((state) => pool[state]).map((state) => `${pool[state]} ${WORDS[state]}`)
	.join(', ') || 'no worker';

// The bound below which so much of a histogram lies; null: nothing counted
function quantile(histogram, part) {
	const counts = (histogram && histogram.counts) || [];
	const total = counts.reduce((sum, count) => sum + count, 0);
	let sum = 0;
	const bucket = counts.findIndex((count) => (sum += count) >= total * part);
	if (!total)
		return null;
	return bucket < histogram.bounds.length ? `< ${duration(histogram.bounds[bucket])}`
		: `> ${duration(histogram.bounds[histogram.bounds.length - 1])}`;
}

class PoolCard {
	constructor(name) {
		const id = `pool-${name}`;
		this.title = make('h2', {id}, name);
		this.marks = make('span', {});
		this.parts = {};
		this.counts = {};
		this.bar = make('div', {class: 'bar', role: 'img'});
		this.legend = make('ul', {class: 'legend'});
		for (const state of STATES) {
			this.bar.append(this.parts[state] = make('i', {class: state}));
			this.counts[state] = make('b', {}, '0');
			this.legend.append(make('li', {class: state}, make('span', {}, this.counts[state], ` ${WORDS[state]}`)));
		}
		this.live = make('span', {});
		this.limits = make('span', {});
		this.roll = make('div', {class: 'roll', hidden: true});
		this.decision = make('p', {class: 'decision'});
		this.board = make('p', {class: 'board', role: 'img'});
		this.facts = make('dl', {class: 'facts'});
		this.sockets = make('dl', {class: 'facts whole'});
		this.makeCharts();
		this.node = make('article', {class: 'card pool', 'aria-labelledby': id},
			make('div', {class: 'head'}, this.title, this.marks),
			make('div', {class: 'left'},
				make('div', {}, this.bar, make('p', {class: 'scale'}, this.live, this.limits)),
				this.legend, this.roll, this.decision, this.boardWithKey(), this.facts, this.sockets),
			make('div', {class: 'right'}, this.charts));
	}

	makeCharts() {
		this.workersChart = new Chart('Workers', STATES, {wide: true, height: 190});
		this.jobsChart = new Chart('Jobs a second', ['jobs'], {});
		this.queueChart = new Chart('Waiting connections', ['queue'], {});
		this.charts = make('div', {class: 'charts'}, this.workersChart.node, this.jobsChart.node, this.queueChart.node);
	}

	boardWithKey() {
		const key = make('p', {class: 'key', 'aria-hidden': 'true'});
		const letters = [['W', 'or another: busy'], ['_', 'idle'], ['?', 'unknown'], ['+', 'starting'],
			['R', 'leaving'], ['-', 'stopping'], ['x', 'killed'], ['.', 'empty']];
		for (const [letter, meaning] of letters)
			key.append(make('span', {}, make('code', {}, letter), ` ${meaning}`), ' ');
		return make('div', {}, this.board, key);
	}

	update(pool, time) {
		this.showMarks(pool);
		this.showBar(pool);
		this.showRoll(pool);
		this.showBoard(pool);
		setText(this.decision, pool.decision ? `${duration(pool.decided)} ago: ${pool.decision}` : 'Nothing decided yet.');
		this.showFacts(pool);
		const samples = remember(pool, time);
		this.workersChart.show(samples, pool.max_workers);
		this.jobsChart.show(samples);
		this.queueChart.show(samples);
	}

	showMarks(pool) {
		const offset = pool.offset ? `${pool.offset > 0 ? '+' : '\u2212'}${Math.abs(pool.offset)} by hand` : null;
		const failures = pool.backoff && pool.backoff.failures;
		const marks = [
			[pool.dynamic ? (pool.min_spare_workers === 0 ? 'on demand' : 'dynamic') : 'static', ''],
			[`generation ${pool.generation}`, ''],
			[offset, 'warn'],
			[pool.drained && 'drained', 'warn'],
			[failures && `${counted(failures, 'failure', 'failures')}, next try in ${duration(pool.backoff.remaining)}`, 'bad'],
		].filter(([text]) => text);
		const text = marks.join();
		if (this.marksText === text)
			return;
		this.marksText = text;
		this.marks.replaceChildren(...marks.flatMap(([mark, kind]) => [make('span', {class: `pill ${kind}`}, mark), ' ']));
	}

	showBar(pool) {
		const whole = Math.max(pool.max_workers, pool.live, 1);
		for (const state of STATES) {
			this.parts[state].style.width = `${(100 * (pool[state] || 0)) / whole}%`;
			setText(this.counts[state], pool[state] || 0);
			this.counts[state].closest('li').classList.toggle('none', !pool[state]);
		}
		setText(this.live, `${pool.live} of at most ${pool.max_workers}` +
			(pool.max_workers === pool.configured_max_workers ? '' : ` (configured: ${pool.configured_max_workers})`));
		setText(this.limits, pool.dynamic ? `spare ${pool.min_spare_workers}\u2013${pool.max_spare_workers}` : '');
		setAttribute(this.bar, 'aria-label', `${inWords(pool)}, of at most ${pool.max_workers}`);
	}

	showRoll(pool) {
		this.roll.hidden = !pool.roll;
		if (!pool.roll)
			return;
		const {replaced, total, starting, failures} = pool.roll;
		this.roll.replaceChildren(`Rolling: ${replaced} of ${total} replaced, ${starting} starting` +
			(failures ? `, ${counted(failures, 'failure', 'failures')}` : ''),
		make('progress', {max: total, value: replaced, 'aria-label': `Workers of ${pool.name} replaced`}));
	}

	// As on Apache's status page: one character a slot; equal neighbours share an element
	showBoard(pool) {
		const slots = [];
		for (const worker of pool.workers || [])
			slots[worker.slot] = worker;
		const runs = [];
		for (let i = 0; i < Math.max(slots.length, pool.max_workers); i++) {
			const state = slots[i] ? slots[i].state : 'empty';
			const busy = state === 'busy' && /^[!-~]$/.test(slots[i].letter || '') ? slots[i].letter : 'W';
			const letter = state === 'empty' ? '.' : LETTERS[state] || busy;
			if (runs.length && runs[runs.length - 1][0] === state)
				runs[runs.length - 1][1] += letter;
			else
				runs.push([state, letter]);
		}
		const text = runs.join();
		if (this.boardText === text)
			return;
		this.boardText = text;
		this.board.replaceChildren(...runs.map(([state, letters]) => make('span', {class: state}, letters)));
		setAttribute(this.board, 'aria-label', `Board: ${inWords(pool)}`);
	}

	showFacts(pool) {
		const exits = Object.entries(pool.exits || {}).filter(([, count]) => count)
			.map(([reason, count]) => `${number(count)} ${reason}`).join(', ');
		const recycled = Object.entries(pool.recycled || {}).filter(([, count]) => count)
			.map(([reason, count]) => `${number(count)} for ${reason}`).join(', ');
		const facts = [
			['Jobs done', number(pool.jobs || 0)],
			['Starts', number(pool.starts || 0)],
			['Exits', exits || 'none'],
			['Limit hit', pool.limit_hits ? counted(pool.limit_hits, 'time', 'times') : 'never'],
			['Start to ready (95 %)', quantile(pool.start_to_ready, 0.95) || 'none yet'],
			['Demand to start (95 %)', quantile(pool.demand_to_start, 0.95) || 'none yet'],
		];
		if (recycled)
			facts.push(['Recycled', recycled]);
		showPairs(this.facts, facts);
		showPairs(this.sockets, (pool.sockets || []).map((socket) => [`Socket ${socket.name}`,
			`${socket.address}: ${socket.waiting ?? '?'} waiting, at most ${socket.waiting_max ?? '?'} of ${socket.limit ?? '?'}`]));
	}
}

// Pairs of a <dl>, each in a <div>, changed in place
function showPairs(list, pairs) {
	while (list.children.length > pairs.length)
		list.lastChild.remove();
	pairs.forEach(([term, value, small], i) => {
		const entry = list.children[i] || list.appendChild(make('div', {}, make('dt', {}),
			make('dd', {}, make('span', {}), ' ', make('small', {}))));
		setText(entry.firstChild, term);
		setText(entry.querySelector('dd span'), value);
		setText(entry.querySelector('small'), small || '');
	});
}
