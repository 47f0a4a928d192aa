// What the charts show: one sample a second of each pool, the newest replaced until its second is over.
const histories = new Map();

function remember(pool, time) {
	if (!histories.has(pool.name))
		histories.set(pool.name, []);
	const samples = histories.get(pool.name);
	const last = samples[samples.length - 1];
	const sample = {time, jobs: pool.jobs_per_second || 0,
		queue: (pool.sockets || []).reduce((sum, socket) => sum + (socket.waiting || 0), 0)};
	for (const state of STATES)
		sample[state] = pool[state] || 0;
	if (last && (time < last.time || Math.floor(time) === Math.floor(last.time)))
		samples.pop();
	samples.push(sample);
	while (samples[0].time < time - SPAN)
		samples.shift();
	return samples;
}
