#ifndef SANDBOX_CONTROL_H
#define SANDBOX_CONTROL_H

struct request;
struct response;
struct sandbox;

/* Everything under /_sandbox: how tests set the sandbox up and see what happened. */
void control_serve(struct sandbox *sandbox, const struct request *request,
		   struct response *response);

#endif
