/*
 * exchange: one call from its arrival to its answer, whichever vendor it is for. All faults
 * except the two that a vendor has to know about (dropped and mandatory columns) are done here.
 */
#include "exchange.h"

#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "control.h"
#include "ledger.h"
#include "page.h"
#include "page_act.h"
#include "sandbox.h"

void exchange_init(struct exchange *exchange, struct sandbox *sandbox)
{
	exchange->sandbox = sandbox;
	exchange->arena = arena_new();
	exchange->request.arena = exchange->arena;
	response_init(&exchange->response, exchange->arena);
}

void exchange_done(struct exchange *exchange)
{
	response_done(&exchange->response);
	request_done(&exchange->request);
	fault_plan_done(&exchange->plan);
	arena_free(exchange->arena);
}

/* Pages lie under the vendor's own mount, as on the real host: anything a browser asks for. */
static bool for_people(const struct request *request)
{
	return (request_is(request, "GET") && page_serves(request)) || page_act_serves(request);
}

uint64_t exchange_plan(struct exchange *exchange)
{
	struct sandbox *sandbox = exchange->sandbox;
	struct request *request = &exchange->request;
	const struct vendor *vendor =
	    registry_mounted(sandbox->registry, request_segment(request, 0));

	if (!vendor || for_people(request))
		return 0;
	const char *key = vendor->recognise(request);

	exchange->vendor = vendor;
	exchange->account = key ? registry_find(sandbox->registry, vendor, key) : NULL;
	if (exchange->account)
		exchange->account_name = exchange->account->name;
	else
		exchange->account_name = key ? key : "";
	faults_plan(sandbox->faults, vendor->name, exchange->account_name, request,
		    &exchange->plan);
	return exchange->plan.delay_ms + sandbox->latency_ms;
}

static void hibernate(struct response *response)
{
	response_text(response, 200, "text/html;charset=UTF-8",
		      "<!DOCTYPE html>\n<html><head><title>Instance Hibernating page</title>"
		      "</head><body class=\"instance-hibernating-page\"><h1>Your instance is "
		      "hibernating</h1><p>Sign in to the developer site to wake your instance."
		      "</p></body></html>\n");
}

static void cut_text(struct response *response)
{
	size_t half = response->body.size / 2;

	if (half == 0)
		return;
	response->body.size = half;
	response->body.data[half] = '\0';
}

static void reply(const struct fault_plan *plan, struct response *response)
{
	response_clear(response);
	response->status = plan->status;
	response->content_type = "application/json";
	if (plan->content_type)
		response_add_header(response, "Content-Type", "%s", plan->content_type);
	if (plan->content_type)
		response->content_type = NULL;
	if (json_is_string(plan->value))
		buf_adds(&response->body, json_string_value(plan->value));
	else if (plan->value)
		response_dump(&response->body, plan->value);
}

/* True when the call was answered without being served. */
static bool prevent(struct exchange *exchange)
{
	const struct fault_plan *plan = &exchange->plan;
	const struct vendor *vendor = exchange->vendor;
	struct response *response = &exchange->response;

	switch (plan->kind) {
	case FAULT_THROTTLED:
		vendor->refuse(REFUSAL_THROTTLED, &exchange->request, response);
		if (*plan->retry_after)
			response_add_header(response, "Retry-After", "%s", plan->retry_after);
		return true;
	case FAULT_5XX_BEFORE:
		vendor->refuse(REFUSAL_BROKEN, &exchange->request, response);
		response->status = plan->status;
		return true;
	case FAULT_CUT_BEFORE:
		exchange->wire = WIRE_CUT;
		return true;
	case FAULT_202:
		response_json(response, 202, json_object());
		return true;
	case FAULT_HIBERNATION:
		hibernate(response);
		return true;
	case FAULT_EXPIRED_PASSWORD:
		vendor->refuse(REFUSAL_CREDENTIALS, &exchange->request, response);
		return true;
	case FAULT_EXPIRED_TOKEN:
		if (exchange->account && vendor->revoke)
			vendor->revoke(exchange->account);
		vendor->refuse(REFUSAL_TOKEN, &exchange->request, response);
		return true;
	case FAULT_REPLY:
		reply(plan, response);
		return true;
	default:
		return false;
	}
}

/* What becomes of the answer of a call that was served. */
static void spoil(struct exchange *exchange)
{
	const struct fault_plan *plan = &exchange->plan;
	struct response *response = &exchange->response;

	switch (plan->kind) {
	case FAULT_5XX_AFTER:
		response_clear(response);
		exchange->vendor->refuse(REFUSAL_BROKEN, &exchange->request, response);
		response->status = plan->status;
		break;
	case FAULT_CUT_AFTER:
		exchange->wire = WIRE_CUT;
		break;
	case FAULT_CUT_BODY:
		exchange->wire = WIRE_CUT_BODY;
		break;
	case FAULT_SLOW_BODY:
		exchange->wire = WIRE_SLOW;
		break;
	case FAULT_TRUNCATED_JSON:
		cut_text(response);
		break;
	case FAULT_WRONG_CONTENT_TYPE:
		response->content_type = NULL;
		response_add_header(response, "Content-Type", "%s",
				    plan->content_type ? plan->content_type : "text/html");
		break;
	default:
		break;
	}
}

static void serve_vendor(struct exchange *exchange)
{
	struct account *account = exchange->account;
	struct fault_plan *plan = &exchange->plan;

	if (plan->kind == FAULT_DROPPED_COLUMNS)
		exchange->request.forgotten = plan->value;
	else if (plan->kind == FAULT_MANDATORY_COLUMN)
		exchange->request.demanded = json_string_value(plan->value);
	if (account)
		pthread_mutex_lock(&account->lock);
	if (!prevent(exchange)) {
		exchange->vendor->serve(account, &exchange->request, &exchange->response);
		spoil(exchange);
	}
	if (account)
		pthread_mutex_unlock(&account->lock);
}

void exchange_serve(struct exchange *exchange)
{
	struct sandbox *sandbox = exchange->sandbox;
	struct response *response = &exchange->response;

	exchange->served = true;
	request_prepare(&exchange->request);
	if (!exchange->vendor) {
		if (strcmp(request_segment(&exchange->request, 0), "_sandbox") == 0)
			control_serve(sandbox, &exchange->request, response);
		else if (page_act_serves(&exchange->request))
			page_act_serve(sandbox, &exchange->request, response);
		else
			page_serve(sandbox, &exchange->request, response);
		return;
	}
	serve_vendor(exchange);
	uint64_t delay_ms = exchange->plan.delay_ms + sandbox->latency_ms;

	ledger_add(sandbox->ledger,
		   &(struct ledger_call){
		       .vendor = exchange->vendor->name,
		       .account = exchange->account_name,
		       .request = &exchange->request,
		       .status = exchange->wire == WIRE_CUT ? 0 : response->status,
		       .fault = exchange->plan.names,
		       .record = response->record,
		       .committed = response->committed,
		       .delay_ms = exchange->plan.late ? 0 : delay_ms,
		   });
}

bool exchange_served(const struct exchange *exchange)
{
	return exchange->served;
}
