/*
 * The lines of the channel sorted: events into a ring, a document in the place of the last one.
 * Rule: one request out at a time, whoever asks; an answer counts from when it came. Must not know
 * who reads.
 */
#include "feed.h"
#include "document.h"

#include <string.h>

static const char event_start[] = "{\"event\":";

void feed_init(struct feed *feed, int channel_fd)
{
	*feed = (struct feed){.status_at_ms = INT64_MIN / 2, .asked_at_ms = INT64_MIN / 2};
	channel_init(&feed->channel, channel_fd);
}

void feed_fini(struct feed *feed)
{
	channel_fini(&feed->channel);
	blob_drop(feed->status);
	json_decref(feed->document);
	for (size_t i = 0; i < FEED_EVENTS; i++)
		blob_drop(feed->event[i]);
	*feed = (struct feed){.channel.fd = -1};
}

bool feed_subscribe(struct feed *feed)
{
	return channel_send(&feed->channel, "events\n");
}

void feed_ask(struct feed *feed, int64_t now_ms)
{
	if (feed->asked || !channel_send(&feed->channel, "status\n"))
		return;
	feed->asked = true;
	feed->asked_at_ms = now_ms;
}

static void take_event(struct feed *feed, const char *line, size_t length)
{
	struct blob *blob = blob_new(line, length);
	struct blob **place = &feed->event[feed->events % FEED_EVENTS];

	if (!blob)
		return;
	blob_drop(*place);
	*place = blob;
	feed->events++;
}

static void replace_document(struct feed *feed, json_t *document, struct blob *blob)
{
	uint64_t fingerprint = document_fingerprint(document);

	if (fingerprint != feed->fingerprint)
		feed->changed_at_ms = feed->now_ms;
	json_decref(feed->document);
	blob_drop(feed->status);
	feed->document = document;
	feed->status = blob;
	feed->fingerprint = fingerprint;
	feed->status_at_ms = feed->now_ms;
	feed->took_ms = feed->now_ms - feed->asked_at_ms;
	feed->statuses++;
}

/* Anything but an object with pools is no status: a refusal, say. Then the old one gets stale. */
static void take_answer(struct feed *feed, const char *line, size_t length)
{
	json_t *document = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	struct blob *blob = NULL;

	if (!feed->asked)
		goto refuse;
	feed->asked = false;
	if (!json_is_array(json_object_get(document, "pools")))
		goto refuse;
	blob = blob_new(line, length);
	if (!blob)
		goto refuse;
	replace_document(feed, document, blob);
	return;
refuse:
	json_decref(document);
}

static void take_line(void *context, const char *line, size_t length)
{
	size_t start = sizeof(event_start) - 1;

	if (length > start && memcmp(line, event_start, start) == 0)
		take_event(context, line, length);
	else
		take_answer(context, line, length);
}

bool feed_read(struct feed *feed, int64_t now_ms)
{
	feed->now_ms = now_ms;
	return channel_read(&feed->channel, take_line, feed);
}

int64_t feed_fresh_ms(const struct feed *feed)
{
	int64_t cost_ms = feed->took_ms * FEED_COST_FACTOR;

	if (cost_ms < FEED_FRESH_MS)
		return FEED_FRESH_MS;
	return cost_ms < FEED_COSTLY_MS ? cost_ms : FEED_COSTLY_MS;
}

json_t *feed_fresh(const struct feed *feed, int64_t now_ms)
{
	return now_ms - feed->status_at_ms < feed_fresh_ms(feed) ? feed->document : NULL;
}

struct blob *feed_event(const struct feed *feed, uint64_t number)
{
	if (number >= feed->events || feed->events - number > FEED_EVENTS)
		return NULL;
	return feed->event[number % FEED_EVENTS];
}
