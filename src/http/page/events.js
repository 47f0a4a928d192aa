// The feed of events, newest first. After a reconnection the gateway tells the last ones again: those
// that are known already are passed over.
const KEPT = 200;

function describeEvent(event) {
	const place = event.pool ? `${event.pool}${event.slot === null || event.slot === undefined ? '' : `/${event.slot}`}` : '';
	const gone = event.action === 'drain' || event.action === 'stop';
	switch (event.event) {
	case 'worker': return [event.to === 'failed' || event.to === 'killed' ? 'warn' : '', place,
		`${event.from} \u2192 ${event.to}${event.why ? `: ${event.why}` : ''} (pid ${event.pid})`];
	case 'log': return [{error: 'bad', warning: 'warn'}[event.level] || '', event.level,
		`${place ? `${place}: ` : ''}${event.message}`];
	case 'progress': return ['', event.action,
		`${place ? `${place}: ` : ''}${event.done} of ${event.total} ${gone ? 'gone' : `replaced, ${event.starting} starting`}`];
	case 'finished': return [event.ok ? 'good' : 'bad', event.action, event.ok ? event.message || 'done' : event.error];
	case 'dropped': return ['warn', 'dropped', `${counted(event.count, 'event was', 'events were')} dropped here`];
	default: return ['', event.event, JSON.stringify(event)];
	}
}

const eventFeed = {
	known: [],
	held: [],
	paused: false,

	start() {
		byId('filter-event').addEventListener('change', () => this.filter());
		byId('pause').addEventListener('click', () => this.pause());
	},

	pause() {
		this.paused = !this.paused;
		byId('pause').setAttribute('aria-pressed', this.paused);
		for (const event of this.paused ? [] : this.held.splice(0))
			this.show(event);
		this.count();
	},

	add(line) {
		if (this.known.includes(line))
			return;
		this.known.push(line);
		if (this.known.length > 2 * KEPT)
			this.known.shift();
		const event = JSON.parse(line);
		event.time ??= Date.now() / 1000;
		if (!this.paused)
			this.show(event);
		else if (this.held.push(event) > KEPT)
			this.held.shift();
		this.count();
	},

	show(event) {
		const [kind, what, text] = describeEvent(event);
		const item = make('li', {class: kind, 'data-event': event.event},
			make('time', {datetime: new Date(event.time * 1000).toISOString()}, clock(event.time)),
			make('span', {class: 'what'}, what), make('span', {class: 'text'}, text));
		item.hidden = this.hides(item);
		byId('feed').prepend(item);
		while (byId('feed').children.length > KEPT)
			byId('feed').lastChild.remove();
		byId('feed-empty').hidden = true;
		if (event.event === 'finished' || kind === 'bad')
			announcer.say(`${what}: ${text}`);
	},

	hides(item) {
		const wanted = byId('filter-event').value;
		if (wanted === 'bad')
			return !item.classList.contains('warn') && !item.classList.contains('bad');
		return wanted !== '' && item.dataset.event !== wanted;
	},

	filter() {
		for (const item of byId('feed').children)
			item.hidden = this.hides(item);
	},

	count() {
		setText(byId('events-count'), this.held.length ? `${this.held.length} held back` : '');
	},
};
