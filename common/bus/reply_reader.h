#ifndef BUS_REPLY_READER_H
#define BUS_REPLY_READER_H

#include <hiredis/hiredis.h>

/* Private to the bus: limits on hiredis's parser, for redis.c and reply_parse(). */
struct reply_bounds {
	redisReplyObjectFunctions functions;
	redisReplyObjectFunctions *original;
};

enum { REPLY_ELEMENTS_MAX = 1 << 20, REPLY_DEPTH_MAX = 8 };

/* bounds must outlive the reader. */
void reply_bound(redisReader *reader, struct reply_bounds *bounds);

#endif
