/*
 * Any bytes as a saved state: what is accepted keeps its bounds, and written again it is the same
 * state.
 */
#include "state.h"

#include "must.h"

static void check_workers(const struct state_pool *pool)
{
	for (size_t i = 0; i < pool->worker_count; i++) {
		must(pool->worker[i].pid > 1 && pool->worker[i].pidfd == -1);
		must(pool->worker[i].slot >= 0 && pool->worker[i].state < WORKER_STATE_COUNT);
		must(pool->worker[i].soft_signal >= 0 && pool->worker[i].soft_signal <= 64);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errmsg err;
	struct state *state = state_of_bytes((const char *)data, size, &err), *again;
	size_t length;
	char *bytes;

	if (!state)
		return 0;
	must(state->reload.state >= 0 && state->reload.state <= 3);
	for (size_t i = 0; i < state->pool_count; i++)
		check_workers(&state->pool[i]);
	bytes = state_to_bytes(state, &length);
	must(bytes && length == size && memcmp(bytes, data, size) == 0);
	again = state_of_bytes(bytes, length, &err);
	must(again != NULL);
	state_free(again);
	state_free(state);
	free(bytes);
	return 0;
}
