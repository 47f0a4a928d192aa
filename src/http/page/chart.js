// A chart of the last minutes: areas on each other, or one line. Samples are [{time, name: value}],
// oldest first; more than GAP seconds without one is shown as a gap, not bridged.
const SPAN = 300;
const GAP = 5;
const SVG = 'http://www.w3.org/2000/svg';

function draw(tag, attributes, text) {
	const node = document.createElementNS(SVG, tag);
	for (const name in attributes)
		node.setAttribute(name, attributes[name]);
	if (text !== undefined)
		node.textContent = text;
	return node;
}

// The next round number whose half is round, too
function roundUp(value) {
	const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
	const steps = power > 1 ? [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10] : [2, 4, 6, 8, 10];
	return Math.round(steps.find((step) => step * power >= value) * power);
}

class Chart {
	constructor(title, series, options) {
		Object.assign(this, {title, series, height: 110, samples: [], at: null}, options);
		this.readout = make('span', {});
		this.svg = draw('svg', {class: 'chart', role: 'img', tabindex: '0', height: this.height});
		this.node = make('figure', {class: this.wide ? 'wide' : ''},
			make('figcaption', {}, make('span', {class: 'title'}, title), this.readout), this.svg);
		this.svg.addEventListener('pointermove', (event) => this.point(event.offsetX));
		this.svg.addEventListener('pointerleave', () => this.point(null));
		this.svg.addEventListener('blur', () => this.point(null));
		this.svg.addEventListener('keydown', (event) => this.press(event));
		new ResizeObserver(() => this.draw()).observe(this.svg);
	}

	show(samples, limit) {
		this.samples = samples;
		this.limit = limit;
		this.draw();
	}

	// Left and right arrows walk through the samples
	press(event) {
		const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
		if (!step || this.samples.length === 0)
			return;
		event.preventDefault();
		const last = this.samples.length - 1;
		const from = this.at ? this.samples.indexOf(this.at) : last + 1;
		this.at = this.samples[Math.min(Math.max(from + step, 0), last)];
		this.draw();
		announcer.say(this.describe(this.at));
	}

	point(x) {
		this.at = null;
		if (x !== null && this.samples.length) {
			const time = this.end - SPAN * (1 - (x - this.left) / (this.width - this.left));
			this.at = this.samples.reduce((best, sample) =>
				Math.abs(sample.time - time) < Math.abs(best.time - time) ? sample : best);
		}
		this.draw();
	}

	describe(sample) {
		const values = this.series.filter((name) => sample[name] || this.series.length === 1)
			.map((name) => (this.series.length > 1 ? `${rate(sample[name])} ${name}` : rate(sample[name])));
		return `${clock(sample.time)}: ${values.join(', ') || 'none'}`;
	}

	total(sample) {
		return this.series.reduce((sum, name) => sum + (sample[name] || 0), 0);
	}

	x(time) {
		return this.left + (this.width - this.left) * Math.max(0, 1 - (this.end - time) / SPAN);
	}

	y(value) {
		return this.height - 16 - (this.height - 24) * Math.min(value / this.top, 1);
	}

	// Runs of samples without a gap
	runs() {
		const runs = [];
		for (const sample of this.samples) {
			const run = runs[runs.length - 1];
			if (run && sample.time - run[run.length - 1].time <= GAP)
				run.push(sample);
			else
				runs.push([sample]);
		}
		return runs;
	}

	// Counts stay until they change: steps
	steps(run, value) {
		return run.map((sample, i) => {
			const x = this.x(sample.time).toFixed(1);
			const y = this.y(value(sample)).toFixed(1);
			return i ? `H${x}V${y}` : `M${x} ${y}`;
		}).join('');
	}

	area(run, name, below) {
		const back = run.map((sample, i) => {
			const x = this.x(sample.time).toFixed(1);
			const y = this.y(below(sample)).toFixed(1);
			return i < run.length - 1 ? `V${y}H${x}` : `L${x} ${y}`;
		}).reverse().join('');
		return `${this.steps(run, (sample) => below(sample) + (sample[name] || 0))}${back}Z`;
	}

	drawSeries(parts) {
		const runs = this.runs();
		this.series.forEach((name, i) => {
			const under = this.series.slice(0, i);
			const below = (sample) => under.reduce((sum, other) => sum + (sample[other] || 0), 0);
			const kind = this.series.length > 1 ? 'area' : 'soft';
			parts.push(draw('path', {class: `${kind} ${name}`,
				d: runs.map((run) => this.area(run, name, below)).join('')}));
			if (kind === 'soft')
				parts.push(draw('path', {class: `line ${name}`,
					d: runs.map((run) => this.steps(run, (sample) => sample[name] || 0)).join('')}));
		});
	}

	drawFrame(parts) {
		for (const value of [0, this.top / 2, this.top]) {
			const y = Math.round(this.y(value)) + 0.5;
			parts.push(draw('line', {class: 'grid', x1: this.left, x2: this.width, y1: y, y2: y}));
			parts.push(draw('text', {x: this.left - 6, y: y + 3.5, 'text-anchor': 'end'}, rate(value)));
		}
		const apart = (this.width - this.left) / (SPAN / 60) < 70 ? 2.5 : 1;
		for (let minute = SPAN / 60; minute >= 0; minute -= apart) {
			const anchor = minute === 0 ? 'end' : minute * 60 === SPAN ? 'start' : 'middle';
			parts.push(draw('text', {x: this.x(this.end - minute * 60), y: this.height - 3, 'text-anchor': anchor},
				minute === 0 ? 'now' : `\u2212${minute} min`));
		}
	}

	drawLine(parts, name, place) {
		parts.push(draw('line', {class: name, ...place}));
	}

	draw() {
		const width = this.svg.clientWidth;
		if (!width || !this.samples.length || document.hidden)
			return;
		const peak = Math.max(...this.samples.map((sample) => this.total(sample)));
		const newest = this.samples[this.samples.length - 1];
		Object.assign(this, {width, left: 30, end: newest.time});
		this.top = roundUp(Math.max(peak, this.limit && this.limit < peak * 3 ? this.limit : 0, 2));
		const parts = [];
		this.drawFrame(parts);
		this.drawSeries(parts);
		if (this.limit && this.limit <= this.top)
			this.drawLine(parts, 'limit', {x1: this.left, x2: width, y1: this.y(this.limit), y2: this.y(this.limit)});
		if (this.at)
			this.drawLine(parts, 'cursor', {x1: this.x(this.at.time), x2: this.x(this.at.time), y1: 8, y2: this.height - 16});
		setAttribute(this.svg, 'viewBox', `0 0 ${width} ${this.height}`);
		this.svg.replaceChildren(...parts);
		setAttribute(this.svg, 'aria-label', `${this.title}, last five minutes: now ${rate(this.total(newest))}, ` +
			`at most ${rate(peak)}. Arrow keys walk through it.`);
		setText(this.readout, this.at ? this.describe(this.at) : `now ${rate(this.total(newest))}, at most ${rate(peak)}`);
	}
}
