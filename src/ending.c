/* The rule on repeated endings; see the header. */
#include "ending.h"

enum ending_step ending_request(struct ending *ending, int worker_signal, int64_t now_ms)
{
	const bool begun = ending->begun;

	if (begun && worker_signal == ending->worker_signal)
		return now_ms - ending->at > ENDING_AGAIN_MS ? ENDING_KILL : ENDING_NOTHING;
	ending->begun = true;
	ending->worker_signal = worker_signal;
	ending->at = now_ms;
	return begun ? ENDING_RENEW : ENDING_BEGIN;
}
