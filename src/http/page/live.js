// The connection: a stream of events, asking every second where that does not work, and trying again
// for ever. Whoever is silent for too long counts as gone.
const SILENCE_MS = 6000;
const POLL_MS = 1000;

const connection = {
	state: 'waiting',
	heard: 0,
	failures: 0,

	start(onStatus, onEvent, onState) {
		Object.assign(this, {onStatus, onEvent, onState});
		this.open();
		setInterval(() => this.look(), 1000);
		document.addEventListener('visibilitychange', () => this.look());
	},

	open() {
		if (this.stream)
			this.stream.close();
		this.opened = Date.now();
		this.stream = new EventSource('live');
		this.stream.addEventListener('status', (message) => {
			this.failures = 0;
			this.take(message.data, 'live');
		});
		this.stream.addEventListener('event', (message) => this.onEvent(message.data));
		this.stream.addEventListener('error', () => {
			this.failures++;
			this.set('lost');
		});
	},

	take(text, how) {
		const status = JSON.parse(text);
		this.heard = Date.now();
		this.set(how);
		this.onStatus(status);
	},

	set(state) {
		if (this.state === state)
			return;
		this.state = state;
		this.onState(state);
	},

	// Once a second: a stream that is closed for good or silent is opened anew, and while there is none
	// the document is asked for
	look() {
		const now = Date.now();
		const silent = now - Math.max(this.heard, this.opened) > SILENCE_MS;
		if (silent)
			this.set('lost');
		if ((this.state === 'lost' || this.state === 'polling') && (this.stream.readyState === EventSource.CLOSED || now - this.opened > SILENCE_MS))
			this.open();
		if (this.failures > 1 && !this.asking && this.state !== 'live')
			this.ask();
	},

	async ask() {
		this.asking = true;
		try {
			const answer = await fetch('status.json', {cache: 'no-store', signal: AbortSignal.timeout(3 * POLL_MS)});
			if (answer.ok && this.state !== 'live')
				this.take(await answer.text(), 'polling');
			else if (this.state !== 'live')
				this.set('lost');
		} catch {
			if (this.state !== 'live')
				this.set('lost');
		}
		this.asking = false;
	},
};
