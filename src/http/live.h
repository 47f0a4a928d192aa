#ifndef PREFORKD_HTTP_LIVE_H
#define PREFORKD_HTTP_LIVE_H
/*
 * Live streams (Server-Sent Events): when the next status is due, which one is published, and what
 * a reader gets next. A slow reader misses statuses and old events, never memory.
 */
#include "blob.h"
#include "feed.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LIVE_LEAST_MS    250  /* between two statuses */
#define LIVE_BEAT_MS     2000 /* at most, also when nothing changed: readers see that we live */
#define LIVE_READERS_MAX 64

struct live {
	struct blob *status; /* the published one, framed */
	uint64_t published;  /* its number */
	uint64_t fingerprint;
	uint64_t statuses;     /* how many of the feed's were looked at */
	uint64_t events_asked; /* how many there were at the last request */
	int64_t published_at_ms;
	int readers;
};

/* Where one reader is. */
struct live_reader {
	struct blob *part; /* being sent, from offset */
	size_t offset;
	uint64_t next_event, seen; /* a status number */
};

void live_init(struct live *live);
void live_fini(struct live *live);
/* Looks whether the feed's newest document is worth publishing. */
void live_publish(struct live *live, const struct feed *feed, int64_t now_ms);
/* When the feed should be asked again; INT64_MAX: nobody reads. */
int64_t live_due_ms(const struct live *live, const struct feed *feed);
void live_asked(struct live *live, const struct feed *feed);

void live_reader_start(
	struct live_reader *reader, struct live *live, const struct feed *feed, int64_t now_ms);
void live_reader_stop(struct live_reader *reader, struct live *live);
bool live_has_news(
	const struct live_reader *reader, const struct live *live, const struct feed *feed);
/* Up to `size` bytes; 0: no news; -1: no memory. */
ssize_t live_read(struct live_reader *reader, const struct live *live, const struct feed *feed,
	char *bytes, size_t size);

#endif
