/*
 * Lines of a service go to the journal through its standard error, all with the same priority
 * unless they say otherwise (sd-daemon(3)). The journal adds the time, so it need not be said
 * twice. Must not remember anything: descriptor 2 may become another file at any time.
 */
#include "journal.h"

#include <stdlib.h>
#include <sys/stat.h>

bool journal_listens(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat file;
	char *end;

	if (!stream)
		return false;
	device = strtoull(stream, &end, 10);
	if (*end != ':')
		return false;
	inode = strtoull(end + 1, &end, 10);
	return *end == '\0' && fstat(fd, &file) == 0 && file.st_dev == device &&
	       file.st_ino == inode;
}

const char *journal_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR: return "<3>";
	case LOG_LEVEL_WARNING: return "<4>";
	case LOG_LEVEL_NOTICE: return "<5>";
	case LOG_LEVEL_INFO: return "<6>";
	case LOG_LEVEL_DEBUG: return "<7>";
	}
	return "";
}
