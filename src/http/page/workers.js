// The table of workers: sorted by any column, filtered, its rows used again. Many workers are shown in
// part until asked for.
const ROWS = 200;
const seconds = (value) => (value === null || value === undefined ? -1 : value);

const COLUMNS = [
	{title: 'Pool', value: (w) => w.pool, text: (w) => w.pool},
	{title: 'Slot', number: true, value: (w) => w.slot, text: (w) => w.slot},
	{title: 'Pid', number: true, value: (w) => w.pid, text: (w) => w.pid},
	{title: 'State', value: (w) => w.state, text: (w) => w.state, state: true},
	{title: 'For', number: true, value: (w) => w.since, text: (w) => duration(w.since)},
	{title: 'Age', number: true, value: (w) => w.age, text: (w) => duration(w.age)},
	{title: 'Generation', number: true, value: (w) => w.generation, text: (w) => w.generation},
	{title: 'Jobs', number: true, value: (w) => seconds(w.jobs), text: (w) => (w.jobs === null ? '' : number(w.jobs))},
	{title: 'Memory', number: true, value: (w) => seconds(w.resident), text: (w) => bytes(w.resident)},
	{title: 'CPU time', number: true, value: (w) => seconds(w.cpu), text: (w) => duration(w.cpu)},
	{title: 'Note', value: (w) => w.note, text: (w) => w.note, note: true},
];

const workerTable = {
	column: null,
	descending: false,
	all: false,

	start() {
		this.body = byId('table').tBodies[0];
		this.heads = COLUMNS.map((column) => make('th', {scope: 'col', class: column.number ? 'number' : ''},
			make('button', {type: 'button', onclick: () => this.sortBy(column)}, column.title)));
		byId('table').tHead.rows[0].append(...this.heads);
		for (const state of ['busy', 'idle', 'unknown', 'starting', 'retiring', 'stopping', 'killed'])
			byId('filter-state').append(make('option', {value: state}, state));
		for (const id of ['filter-pool', 'filter-state'])
			byId(id).addEventListener('change', () => this.draw());
		byId('more').addEventListener('click', () => {
			this.all = !this.all;
			this.draw();
		});
	},

	// Once up, once down, then by pool and slot again
	sortBy(column) {
		if (this.column !== column)
			[this.column, this.descending] = [column, false];
		else if (!this.descending)
			this.descending = true;
		else
			this.column = null;
		this.heads.forEach((head, i) => {
			if (COLUMNS[i] === this.column)
				head.setAttribute('aria-sort', this.descending ? 'descending' : 'ascending');
			else
				head.removeAttribute('aria-sort');
		});
		this.draw();
		const order = this.descending ? 'descending' : 'ascending';
		announcer.say(this.column ? `Sorted by ${column.title}, ${order}` : 'Sorted by pool and slot');
	},

	update(pools) {
		this.workers = pools.flatMap((pool) => (pool.workers || []).map((worker) => ({...worker, pool: pool.name})));
		const select = byId('filter-pool');
		const names = pools.map((pool) => pool.name);
		if (names.join() !== this.names) {
			this.names = names.join();
			const kept = select.value;
			select.replaceChildren(make('option', {value: ''}, 'all'), ...names.map((name) => make('option', {value: name}, name)));
			select.value = names.includes(kept) ? kept : '';
		}
		this.draw();
	},

	chosen() {
		const pool = byId('filter-pool').value;
		const state = byId('filter-state').value;
		const chosen = this.workers.filter((w) => (!pool || w.pool === pool) && (!state || w.state === state));
		if (this.column) {
			const {value} = this.column;
			const sign = this.descending ? -1 : 1;
			chosen.sort((a, b) => sign * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
		}
		return chosen;
	},

	draw() {
		if (!this.workers)
			return;
		const chosen = this.chosen();
		const shown = this.all ? chosen : chosen.slice(0, ROWS);
		while (this.body.rows.length > shown.length)
			this.body.lastChild.remove();
		shown.forEach((worker, i) => this.drawRow(this.body.rows[i] || this.addRow(), worker));
		const all = this.workers.length;
		setText(byId('workers-count'), chosen.length === all ? number(all) : `${number(chosen.length)} of ${number(all)}`);
		byId('more').hidden = chosen.length <= ROWS;
		setText(byId('more'), this.all ? `Show ${ROWS} only` : `Show all ${number(chosen.length)}`);
	},

	addRow() {
		const row = this.body.insertRow();
		for (const column of COLUMNS) {
			const cell = row.insertCell();
			cell.className = column.number ? 'number' : column.note ? 'note' : '';
			if (column.state)
				cell.append(make('span', {class: 'state'}));
		}
		return row;
	},

	drawRow(row, worker) {
		COLUMNS.forEach((column, i) => {
			const cell = row.cells[i];
			const text = column.text(worker);
			setText(column.state ? cell.firstChild : cell, text);
			if (column.state)
				setAttribute(cell.firstChild, 'class', `state ${text}`);
			if (column.note)
				cell.title = text;
		});
	},
};
