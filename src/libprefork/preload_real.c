/*
 * Finding the functions that the preloaded library stands before. Rule: whoever is called first
 * finds all; two threads that do so at once find the same. Must not allocate by itself.
 */
#include "preload_real.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>

static struct real_calls calls;
static _Atomic bool calls_known;

static void find(void)
{
#define X(name) calls.name = (__typeof__(calls.name))dlsym(RTLD_NEXT, #name);
	REAL_CALLS(X)
#undef X
	atomic_store_explicit(&calls_known, true, memory_order_release);
}

const struct real_calls *real_calls(void)
{
	if (__builtin_expect(!atomic_load_explicit(&calls_known, memory_order_acquire), 0))
		find();
	return &calls;
}
