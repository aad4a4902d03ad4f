#ifndef CALLBACK_NOTICE_H
#define CALLBACK_NOTICE_H

#include "committer.h"
#include "model/closure.h"
#include "problem.h"

struct app;
struct credentials;
struct credentials_instance;

/* On the way into the stream `closures`. */

/* For one closure; its strings live in the commit's arena or in the
 * exchange. The partition is set when it is submitted. */
struct commit *notice_new(struct httpd_exchange *exchange);
/* Frees the commit and answers with the problem. */
enum httpd_outcome notice_refuse(struct commit *commit, enum problem problem,
				 const char *detail);
/* The same for who is not known: 401, or 503 while we know nobody yet (credentials is NULL). */
enum httpd_outcome notice_refuse_stranger(struct commit *commit,
					  const struct credentials *credentials);
/* Takes the commit over. nonce (NULL: none) is the part of its key after "nonce:", taken for
 * value; both live as long as the commit. */
enum httpd_outcome notice_submit(const struct app *app, struct commit *commit,
				 unsigned partition, const struct closure *closure,
				 const char *nonce, const char *value, uint64_t nonce_ttl_ms);

/* The request proved to be of instance, but says to come from another: a clone, which has
 * copied the credentials. 403; who looks after the installation hears of it by name, once an
 * hour. */
enum httpd_outcome notice_of_clone(const struct app *app, struct commit *commit,
				   const struct credentials_instance *instance,
				   const char *instance_name);

#endif
