/*
 * Answers made into responses of libmicrohttpd. Nothing is kept by browsers or proxies, nothing may
 * be framed, embedded or guessed at. Must not decide what is answered.
 */
#include "reply.h"

#define STREAM_BLOCK_BYTES 8192

static const struct {
	const char *name, *value;
} headers[] = {
	{"Cache-Control", "no-store"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
};

static void add_headers(struct MHD_Response *response, const char *type, const char *policy)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		MHD_add_response_header(response, headers[i].name, headers[i].value);
	MHD_add_response_header(response, "Content-Security-Policy", policy);
	MHD_add_response_header(response, "Content-Type", type);
}

static void drop_body(void *body)
{
	blob_drop(body);
}

static struct MHD_Response *make_response(const struct answer *answer)
{
	struct MHD_Response *response;

	if (!answer->body)
		return MHD_create_response_from_buffer(answer->fixed_length,
			(void *)(uintptr_t)answer->fixed, MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		answer->body->length, answer->body->bytes, drop_body, answer->body);
	if (!response)
		blob_drop(answer->body);
	return response;
}

enum MHD_Result reply_send(struct MHD_Connection *connection, const struct answer *answer)
{
	struct MHD_Response *response = make_response(answer);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	add_headers(response, answer->type, answer->policy);
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (answer->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, "Retry-After", "2");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result reply_stream(
	struct MHD_Connection *connection, MHD_ContentReaderCallback read, void *context)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read, context, NULL);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	add_headers(response, REPLY_STREAM_TYPE, "default-src 'none'");
	/* nginx would keep the events back */
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}
