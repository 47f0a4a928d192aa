/*
 * Live streams. The newest status is published when something changed, four times a second at most;
 * asking costs the supervisor, so the time it takes to answer sets the pace: a hundredth of its
 * time is ours. Nothing is queued for a reader: it holds a place in the ring of events, and gets
 * whatever status is newest when it has room. Must not touch a connection.
 */
#include "live.h"

#include <string.h>

#define QUIET_MS   500 /* between two requests while nothing happens */
#define CHANGED_MS 1000
#define YOUNG_MS   1000 /* a new reader gets a published status that is not older */

static const char greeting[] = "retry: 1000\n\n";

void live_init(struct live *live)
{
	*live = (struct live){.published_at_ms = INT64_MIN / 2};
}

void live_fini(struct live *live)
{
	blob_drop(live->status);
	live_init(live);
}

static struct blob *frame(const char *name, const struct blob *data)
{
	struct text text = {0};

	text_print(&text, "event: %s\ndata: ", name);
	text_add(&text, data->bytes, data->length);
	text_add(&text, "\n\n", 2);
	return text_finish(&text);
}

void live_publish(struct live *live, const struct feed *feed, int64_t now_ms)
{
	int64_t age_ms = now_ms - live->published_at_ms;
	bool changed = live->fingerprint != feed->fingerprint;
	struct blob *framed;

	if (live->statuses == feed->statuses || live->readers == 0)
		return;
	live->statuses = feed->statuses;
	if (age_ms < (changed ? LIVE_LEAST_MS - FEED_FRESH_MS / 2 : LIVE_BEAT_MS))
		return;
	framed = frame("status", feed->status);
	if (!framed)
		return;
	blob_drop(live->status);
	live->status = framed;
	live->published++;
	live->published_at_ms = now_ms;
	live->fingerprint = feed->fingerprint;
}

int64_t live_due_ms(const struct live *live, const struct feed *feed)
{
	bool happened = feed->asked_at_ms - feed->changed_at_ms < CHANGED_MS ||
			live->events_asked != feed->events ||
			live->fingerprint != feed->fingerprint;
	int64_t pause_ms = happened ? LIVE_LEAST_MS : QUIET_MS;
	int64_t fresh_ms = feed_fresh_ms(feed);

	if (live->readers == 0 || feed->asked)
		return INT64_MAX;
	return feed->asked_at_ms + (fresh_ms > pause_ms ? fresh_ms : pause_ms);
}

void live_asked(struct live *live, const struct feed *feed)
{
	live->events_asked = feed->events;
}

void live_reader_start(
	struct live_reader *reader, struct live *live, const struct feed *feed, int64_t now_ms)
{
	bool young = now_ms - live->published_at_ms < YOUNG_MS;

	*reader = (struct live_reader){
		.part = blob_new(greeting, sizeof(greeting) - 1),
		.next_event = feed->events > FEED_EVENTS ? feed->events - FEED_EVENTS : 0,
		.seen = young && live->published ? live->published - 1 : live->published,
	};
	if (live->readers++ == 0)
		live->published_at_ms = INT64_MIN / 2; /* the next one is news, changed or not */
}

void live_reader_stop(struct live_reader *reader, struct live *live)
{
	blob_drop(reader->part);
	*reader = (struct live_reader){0};
	live->readers--;
}

bool live_has_news(
	const struct live_reader *reader, const struct live *live, const struct feed *feed)
{
	return reader->part || reader->next_event < feed->events || reader->seen < live->published;
}

/* Events that the reader was too slow for are counted, as the supervisor counts its own. */
static struct blob *next_event(struct live_reader *reader, const struct feed *feed)
{
	struct blob *event = feed_event(feed, reader->next_event);
	struct text text = {0};
	uint64_t oldest;

	if (event) {
		reader->next_event++;
		return frame("event", event);
	}
	oldest = feed->events - FEED_EVENTS;
	text_print(&text, "event: event\ndata: {\"event\":\"dropped\",\"count\":%llu}\n\n",
		(unsigned long long)(oldest - reader->next_event));
	reader->next_event = oldest;
	return text_finish(&text);
}

/* The next thing to send; NULL: no memory. */
static struct blob *next_part(
	struct live_reader *reader, const struct live *live, const struct feed *feed)
{
	if (reader->seen < live->published) {
		reader->seen = live->published;
		return blob_share(live->status);
	}
	return next_event(reader, feed);
}

ssize_t live_read(struct live_reader *reader, const struct live *live, const struct feed *feed,
	char *bytes, size_t size)
{
	size_t length;

	if (!live_has_news(reader, live, feed))
		return 0;
	if (!reader->part) {
		reader->part = next_part(reader, live, feed);
		reader->offset = 0;
	}
	if (!reader->part)
		return -1;
	length = reader->part->length - reader->offset;
	if (length > size)
		length = size;
	memcpy(bytes, reader->part->bytes + reader->offset, length);
	reader->offset += length;
	if (reader->offset == reader->part->length) {
		blob_drop(reader->part);
		reader->part = NULL;
	}
	return (ssize_t)length;
}
