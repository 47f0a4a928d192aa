/* The command line's level comes before the configuration's; a daemon has no standard error. */
#include "log_target.h"

#include <string.h>

#include "errmsg.h"
#include "logger.h"
#include "settings.h"
#include "supervisor.h"

int log_target_open(const struct supervisor_options *options, const struct settings *settings,
	struct errmsg *err)
{
	const struct preforkd_settings *preforkd = &settings->preforkd;
	const bool unread = options->daemon && strcmp(preforkd->log_file, "stderr") == 0;
	const struct logger_settings log = {
		.name = preforkd->name,
		.target = unread ? "syslog" : preforkd->log_file,
		.level = (enum log_level)(
			options->log_level >= 0 ? options->log_level : preforkd->log_level),
		.format = (enum log_format)preforkd->log_format,
	};
	struct errmsg reason;

	if (logger_open(&log, &reason) == 0)
		return 0;
	return errmsg_set(err, "log_file: %s", reason.text);
}
