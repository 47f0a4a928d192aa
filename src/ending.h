#ifndef PREFORKD_ENDING_H
#define PREFORKD_ENDING_H
/*
 * What a signal that ends the supervisor means when it comes once, again, or as another one: the
 * first begins the stop; one that stands for another worker signal sends that one and renews the
 * deadline; the same again, more than a second later, kills at once. Pure. Floor 0.
 */
#include <stdbool.h>
#include <stdint.h>

#define ENDING_AGAIN_MS 1000

enum ending_step {
	ENDING_BEGIN,
	ENDING_RENEW,   /* send the new signal to all, deadlines start anew */
	ENDING_KILL,    /* KILL to all */
	ENDING_NOTHING, /* the same within a second: a doubled key press */
};

struct ending {
	bool begun;
	int worker_signal; /* 0: each pool's own */
	int64_t at;        /* the last BEGIN or RENEW */
};

enum ending_step ending_request(struct ending *ending, int worker_signal, int64_t now_ms);

#endif
