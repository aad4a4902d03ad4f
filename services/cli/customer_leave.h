#ifndef CLI_CUSTOMER_LEAVE_H
#define CLI_CUSTOMER_LEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cli;
struct redis;

/*
 * What a customer's removal does beside its file. Its hosts must not stay contained without
 * anybody knowing: the client refuses, or has them let go first. Erasing what Redis holds is
 * the keeper's, who may: the client leaves a file removed/<id> beside the customers', and the
 * keeper takes it away when it is done.
 */

/* With --release its hosts are let go, and waited for; with --leave nothing is looked at. False
 * after telling, with *ret_code: some are contained, or it cannot be known. */
bool customer_let_go(struct cli *cli, int *ret_code);
/* For each operand of the command. */
bool customer_ask_purge(struct cli *cli, struct err *err);

/* Zeroed to begin with. */
struct purge {
	const char *config_dir;
	unsigned partitions;
	char id[32];	 /* "": nothing under way */
	char cursor[24]; /* of SCAN */
};

/* A page of the keys. Customers that are there (again) are left alone. */
bool purge_step(struct purge *purge, struct redis *redis, struct err *err);

#endif
