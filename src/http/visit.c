/*
 * Visitors and their time limits. Rule: whoever sends or takes bytes slowly loses the connection,
 * however steadily the bytes trickle. Only the socket is shut down here; the library then finds its
 * end and cleans up.
 */
#include "visit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define REQUEST_MS 10000 /* for a whole request, from the connection or the last answer */
#define ANSWER_MS  30000 /* for taking the answer */

struct visit *visit_new(struct visit **list, struct MHD_Connection *connection, int64_t now_ms)
{
	struct visit *visit = calloc(1, sizeof(*visit));

	if (!visit)
		return NULL;
	visit->connection = connection;
	visit->since_ms = now_ms;
	visit->next = *list;
	visit->link = list;
	if (visit->next)
		visit->next->link = &visit->next;
	*list = visit;
	return visit;
}

void visit_free(struct visit *visit)
{
	*visit->link = visit->next;
	if (visit->next)
		visit->next->link = visit->link;
	free(visit);
}

void visit_set(struct visit *visit, enum visit_state state, int64_t now_ms)
{
	visit->state = state;
	visit->since_ms = now_ms;
}

void visit_suspend(struct visit *visit)
{
	if (visit->suspended)
		return;
	visit->suspended = true;
	MHD_suspend_connection(visit->connection);
}

void visit_resume(struct visit *visit)
{
	if (!visit->suspended)
		return;
	visit->suspended = false;
	MHD_resume_connection(visit->connection);
}

static bool is_late(const struct visit *visit, int64_t now_ms)
{
	int64_t age_ms = now_ms - visit->since_ms;

	switch (visit->state) {
	case VISIT_READING: return age_ms > REQUEST_MS;
	case VISIT_ANSWERING: return age_ms > ANSWER_MS;
	case VISIT_WAITING:
	case VISIT_LIVE: break;
	}
	return false;
}

/* The library does not look at suspended connections, so nobody else would notice. Who waits for
 * one answer does not wait long, and may have closed its own side. */
static bool has_left(const struct visit *visit, int fd)
{
	char byte;
	ssize_t count;

	if (visit->state != VISIT_LIVE || !visit->suspended)
		return false;
	count = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

static void hurry(struct visit *visit, int64_t now_ms)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(visit->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (!info)
		return;
	if (is_late(visit, now_ms))
		shutdown(info->connect_fd, SHUT_RDWR);
	if (has_left(visit, info->connect_fd)) {
		visit->left = true;
		visit_resume(visit);
	}
}

void visits_hurry(struct visit *list, int64_t now_ms)
{
	for (struct visit *visit = list; visit; visit = visit->next)
		hurry(visit, now_ms);
}
