#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

/* What a script can rely on; `tocsin help` prints this list. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,      /* refused or impossible: nothing was changed */
	EXIT_USAGE = 2,	      /* unknown command or option, wrong arguments, bad setting */
	EXIT_NOT_FOUND = 3,   /* the customer, account, incident, event or entry is not there */
	EXIT_UNHEALTHY = 4,   /* it worked, and what it found needs attention */
	EXIT_UNREACHABLE = 5, /* Redis does not answer: try again */
};

#endif
