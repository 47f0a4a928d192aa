// Small things that all parts use. Text goes into the page as text only, never as markup.
const STATES = ['busy', 'idle', 'unknown', 'starting', 'retiring'];
const byId = (id) => document.getElementById(id);

// make('li', {class: 'x', onclick: f}, child or text, ...)
function make(tag, attributes, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) {
		if (name.startsWith('on'))
			node.addEventListener(name.slice(2), value);
		else if (value !== undefined && value !== null && value !== false)
			node.setAttribute(name, value === true ? '' : value);
	}
	node.append(...children);
	return node;
}

// Touches the page only when something is different: cheap, and kind to screen readers
function setText(node, text) {
	text = String(text);
	if (node.textContent !== text)
		node.textContent = text;
}

function setAttribute(node, name, value) {
	if (node.getAttribute(name) !== value)
		node.setAttribute(name, value);
}

const number = (value) => Math.round(value).toLocaleString('en').replaceAll(',', '\u202f');
const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

function rate(value) {
	return value < 10 ? String(Math.round(value * 10) / 10) : number(value);
}

function duration(seconds) {
	if (seconds === null || seconds === undefined)
		return '';
	if (seconds < 0.9995)
		return `${Math.round(seconds * 1000)} ms`;
	if (seconds < 60)
		return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)} s`;
	const units = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'min'], [60, 'min', 1, 's']];
	const [big, bigName, small, smallName] = units.find(([size]) => seconds >= size);
	const rest = Math.floor((seconds % big) / small);
	return `${Math.floor(seconds / big)} ${bigName}${rest ? ` ${rest} ${smallName}` : ''}`;
}

function bytes(value) {
	if (value === null || value === undefined)
		return '';
	const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
	let unit = 0;
	for (; value >= 1024 && unit < names.length - 1; unit++)
		value /= 1024;
	return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${names[unit]}`;
}

const clock = (time) => new Date(time * 1000).toLocaleTimeString('en-GB');

// Said to screen readers, a few seconds apart at least, the newest last
const announcer = {
	queue: [],
	say(text) {
		if (this.queue.length < 5)
			this.queue.push(text);
		if (!this.timer)
			this.next();
	},
	next() {
		const text = this.queue.shift();
		this.timer = text ? setTimeout(() => this.next(), 3000) : null;
		if (text)
			byId('announce').textContent = text;
	},
};
