#ifndef PREFORKD_HTTP_FEED_H
#define PREFORKD_HTTP_FEED_H
/*
 * What the supervisor has said: the newest status document, and the last events. One document
 * serves all visitors: it is asked for at most once at a time, and not again while it is fresh.
 */
#include "blob.h"
#include "channel.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define FEED_FRESH_MS    100  /* a document this young answers everybody */
#define FEED_COSTLY_MS   900  /* the same, when documents take the supervisor long */
#define FEED_COST_FACTOR 100  /* a hundredth of the supervisor's time is ours */
#define FEED_PATIENCE_MS 2000 /* no answer for so long: the supervisor does not answer */
#define FEED_EVENTS      256  /* kept for those who come later */

struct feed {
	struct channel channel;
	struct blob *status;  /* the newest document as it came, or NULL */
	json_t *document;     /* the same, parsed */
	uint64_t fingerprint; /* of it */
	int64_t status_at_ms; /* when it came */
	int64_t asked_at_ms;  /* the request that is out, or the last one */
	int64_t took_ms;      /* the last answer */
	int64_t changed_at_ms;
	bool asked;        /* one is out */
	uint64_t statuses; /* how many came */
	uint64_t events;   /* how many came; event number N is in event[N % FEED_EVENTS] */
	struct blob *event[FEED_EVENTS];
	int64_t now_ms; /* of the turn, for lines that come */
};

void feed_init(struct feed *feed, int channel_fd); /* takes the descriptor */
void feed_fini(struct feed *feed);
/* Asks for the events, once. */
bool feed_subscribe(struct feed *feed);
void feed_ask(struct feed *feed, int64_t now_ms);
/* Takes what has come; false: the channel has ended. */
bool feed_read(struct feed *feed, int64_t now_ms);

/* How long a document serves: as long as it cost, a hundred times, between the bounds above. */
int64_t feed_fresh_ms(const struct feed *feed);
/* The newest document when it is fresh, else NULL. */
json_t *feed_fresh(const struct feed *feed, int64_t now_ms);
/* NULL when it is no longer kept, or not there yet. */
struct blob *feed_event(const struct feed *feed, uint64_t number);

#endif
