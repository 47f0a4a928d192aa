/*
 * The addresses of the gateway and their answers. Everything is made of one status document; all of
 * it is readable by whoever can connect, so nothing here may change anything or ask for more.
 */
#include "answer.h"
#include "document.h"
#include "metrics.h"
#include "page.h"

#include <string.h>

static const char type_text[] = "text/plain; charset=utf-8";
static const char no_resources[] = "default-src 'none'; frame-ancestors 'none'";

static const struct {
	const char *path;
	enum route route;
} routes[] = {
	{"/", ROUTE_PAGE},
	{"/live", ROUTE_LIVE},
	{"/status.json", ROUTE_STATUS},
	{"/metrics", ROUTE_METRICS},
	{"/healthz", ROUTE_HEALTH},
	{"/readyz", ROUTE_READY},
};

enum route route_find(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].path, path) == 0)
			return routes[i].route;
	return ROUTE_NONE;
}

bool route_needs_document(enum route route)
{
	switch (route) {
	case ROUTE_STATUS:
	case ROUTE_METRICS:
	case ROUTE_HEALTH:
	case ROUTE_READY: return true;
	case ROUTE_NONE:
	case ROUTE_PAGE:
	case ROUTE_LIVE: break;
	}
	return false;
}

struct answer answer_words(unsigned status, const char *words)
{
	return (struct answer){.status = status,
		.type = type_text,
		.policy = no_resources,
		.fixed = words,
		.fixed_length = strlen(words)};
}

static struct answer answer_body(unsigned status, const char *type, struct blob *body)
{
	if (!body)
		return answer_words(503, "out of memory\n");
	return (struct answer){
		.status = status, .type = type, .policy = no_resources, .body = body};
}

static struct answer answer_page(void)
{
	return (struct answer){.status = 200,
		.type = "text/html; charset=utf-8",
		.policy = page_policy,
		.fixed = page_html,
		.fixed_length = page_html_length};
}

static struct answer answer_metrics(json_t *document)
{
	struct text text = {0};

	metrics_print(document, &text);
	return answer_body(200, "text/plain; version=0.0.4; charset=utf-8", text_finish(&text));
}

static struct answer answer_ready(json_t *document)
{
	struct text reasons = {0};

	if (!document_ready(document, &reasons))
		return answer_body(503, type_text, text_finish(&reasons));
	text_free(&reasons);
	return answer_words(200, "ready\n");
}

struct answer answer_make(enum route route, json_t *document, struct blob *raw)
{
	if (route_needs_document(route) && !document)
		return answer_words(503, "the supervisor does not answer\n");
	switch (route) {
	case ROUTE_PAGE: return answer_page();
	case ROUTE_STATUS: return answer_body(200, "application/json", blob_share(raw));
	case ROUTE_METRICS: return answer_metrics(document);
	case ROUTE_HEALTH: return answer_words(200, "ok\n");
	case ROUTE_READY: return answer_ready(document);
	case ROUTE_NONE:
	case ROUTE_LIVE: break;
	}
	return answer_words(404,
		"not found. There are /, /status.json, /metrics, /healthz, /readyz and /live\n");
}
