/* One exchange: what libcurl is told, what it tells us, and what that means for the caller. */
#include "net/http_call.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum {
	HEAD_MAX_BYTES = 64 * 1024,
	BODY_MAX_BYTES = 8 * 1024 * 1024,
	/* Per exchange on the wire; HTTP/2 copies each body through the second, which is 64 KiB
	 * when nothing is said, and no less than this. */
	RECEIVE_BYTES = 8 * 1024,
	SEND_BYTES = 16 * 1024,
	/* Load balancers drop idle connections after 60 s and more; a request on one that is
	 * just being dropped ends ambiguous, so ours are older than that never. */
	IDLE_MAX_S = 30,
};

/* ---- the request ---- */

static bool is_line(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

static bool is_token(const char *s)
{
	return *s != '\0' && s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789!#$%&'*+-.^_`|~")] == '\0';
}

static const char *url_host(const char *url, size_t *ret_size)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	*ret_size = strcspn(host, "/?#");
	return host;
}

static bool url_valid(const char *url)
{
	size_t size;
	const char *host = url_host(url, &size);

	if (strncasecmp(url, "https://", 8) != 0 && strncasecmp(url, "http://", 7) != 0)
		return false;
	for (const char *s = url; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return size > 0 && !memchr(host, '@', size);
}

static bool request_valid(const struct http_request *request, const char *url, struct err *err)
{
	const char *const lines[] = { request->bearer, request->content_type, request->accept };

	if (!url || !url_valid(url))
		return err_set(err, ERR_PERMANENT, "not an http or https address: %.100s",
			       url ? url : "(none)");
	if (request->method && !is_token(request->method))
		return err_set(err, ERR_PERMANENT, "not an HTTP method: %.20s",
			       request->method);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (lines[i] && !is_line(lines[i]))
			return err_set(err, ERR_PERMANENT,
				       "a request header contains a control character");
	for (const char *const *line = request->headers; line && *line; line++)
		if (!is_line(*line) || !strchr(*line, ':'))
			return err_set(err, ERR_PERMANENT, "a request header is malformed");
	if (request->basic_user && strchr(request->basic_user, ':'))
		return err_set(err, ERR_PERMANENT, "a user name cannot contain a colon");
	return true;
}

static void add_header(struct http_call *call, const char *name, const char *value)
{
	struct buf line;

	buf_init(&line, HEAD_MAX_BYTES);
	buf_addf(&line, "%s%s", name, value);
	struct curl_slist *longer = curl_slist_append(call->headers, buf_text(&line));
	explicit_bzero(line.data, line.size);
	buf_done(&line);
	if (!longer)
		xmalloc(SIZE_MAX); /* out of memory: ends the process in the one way there is */
	call->headers = longer;
}

bool http_call_init(struct http_call *call, const struct http_request *request, const char *url,
		    uint64_t deadline_ms, struct err *err)
{
	*call = (struct http_call){ .request = request,
				    .url = url,
				    .method = request->method ? request->method : "GET",
				    .deadline_ms = deadline_ms };
	if (!request_valid(request, url, err))
		return false;
	add_header(call, "Accept: ", request->accept ? request->accept : "application/json");
	add_header(call, "Expect:", ""); /* no round trip before a large body */
	if (request->bearer)
		add_header(call, "Authorization: Bearer ", request->bearer);
	if (request->size == 0)
		add_header(call, "Content-Type:", ""); /* else libcurl says it is a form */
	else
		add_header(call, "Content-Type: ",
			   request->content_type ? request->content_type : "application/json");
	for (const char *const *line = request->headers; line && *line; line++)
		add_header(call, "", *line);
	buf_init(&call->body,
		 request->max_body_bytes ? request->max_body_bytes : BODY_MAX_BYTES);
	buf_init(&call->head, HEAD_MAX_BYTES);
	sem_init(&call->done, 0, 0);
	return true;
}

void http_call_done(struct http_call *call)
{
	for (struct curl_slist *line = call->headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(call->headers);
	buf_done(&call->body);
	buf_done(&call->head);
	curl_free(call->redirect_url);
}

/* ---- callbacks, in the driving thread ---- */

static bool is_safe(const struct http_call *call)
{
	return strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
}

/* The connection stands and the first byte of the request is about to be written. */
static int on_begin(void *opaque, char *remote, char *local, int remote_port, int local_port)
{
	struct http_call *call = opaque;
	uint64_t start_by = call->request->start_by_ms;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	/* libcurl repeats a request when a connection that was used before closes without a
	 * byte. That the server has not acted is a guess: fine for reading, not for others. */
	if (call->begun > 0 && !is_safe(call)) {
		call->cause = HTTP_CAUSE_REPEATED;
		return CURL_PREREQFUNC_ABORT;
	}
	if (start_by != 0 && call->begun == 0 && clock_mono_ms() > start_by) {
		call->cause = HTTP_CAUSE_LATE;
		return CURL_PREREQFUNC_ABORT;
	}
	call->begun++;
	return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *data, size_t unit, size_t count, void *opaque)
{
	struct http_call *call = opaque;
	size_t size = count * unit, given = size;

	/* A status line starts the headers anew: after an interim answer or a repeat. */
	if (size >= 5 && strncmp(data, "HTTP/", 5) == 0) {
		buf_reset(&call->head);
		return given;
	}
	while (size > 0 && (data[size - 1] == '\r' || data[size - 1] == '\n'))
		size--;
	if (size == 0 || memchr(data, '\0', size))
		return given;
	buf_add(&call->head, data, size);
	buf_add(&call->head, "", 1);
	if (buf_ok(&call->head))
		return given;
	call->cause = HTTP_CAUSE_TOO_LARGE;
	return 0;
}

static size_t on_body(char *data, size_t unit, size_t count, void *opaque)
{
	struct http_call *call = opaque;

	buf_add(&call->body, data, count * unit);
	if (buf_ok(&call->body))
		return count * unit;
	call->cause = HTTP_CAUSE_TOO_LARGE;
	return 0;
}

/* ---- options ---- */

CURL *http_easy_new(const struct http_settings *settings)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, settings->user_agent);
	/* An empty text, other than NULL, also keeps the environment's settings out. */
	curl_easy_setopt(easy, CURLOPT_PROXY, settings->proxy ? settings->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	if (settings->proxy && settings->proxy_auth)
		curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD, settings->proxy_auth);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (settings->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
	/* With a file alone libcurl parses the certificates once, not at each handshake. */
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);

	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BYTES);
	curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);

	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_begin);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	return easy;
}

static void prepare_method(CURL *easy, const struct http_call *call)
{
	const struct http_request *request = call->request;
	const char *method = call->method;
	bool carries = request->size > 0 || strcmp(method, "POST") == 0 ||
		       strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;

	if (strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
		return;
	}
	if (carries) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
				 request->size > 0 ? request->body : "");
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	bool implied = strcmp(method, carries ? "POST" : "GET") == 0;
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, implied ? NULL : method);
}

void http_easy_prepare(CURL *easy, struct http_call *call, unsigned connect_timeout_ms)
{
	const struct http_request *request = call->request;
	uint64_t now = clock_mono_ms();
	uint64_t left = call->deadline_ms > now ? call->deadline_ms - now : 1;
	uint64_t connect = connect_timeout_ms;

	if (request->start_by_ms > now && request->start_by_ms - now < connect)
		connect = request->start_by_ms - now;
	curl_easy_setopt(easy, CURLOPT_URL, call->url);
	/* HTTP/2 is settled in the TLS handshake. Without TLS a call that might use it would be
	 * kept waiting until the first one of its host is answered, however slow that one is.
	 */
	bool tls = strncasecmp(call->url, "https:", 6) == 0;
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	prepare_method(easy, call);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_USERNAME, request->basic_user);
	curl_easy_setopt(easy, CURLOPT_PASSWORD,
			 request->basic_user ? request->basic_password : NULL);
	/* Pages of events shrink to a tenth; what others answer is not worth a window each. */
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, is_safe(call) ? "gzip" : NULL);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->body.max);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

void http_easy_collect(CURL *easy, struct http_call *call)
{
	long status = 0;
	char *redirect = NULL;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect);
	call->status = (int)status;
	if (redirect)
		call->redirect_url = xstrdup(redirect);
	/* Nothing of the call may stay behind in a handle that is used again. */
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(easy, CURLOPT_USERNAME, NULL);
	curl_easy_setopt(easy, CURLOPT_PASSWORD, NULL);
}

/* ---- the outcome ---- */

static bool fail(const struct http_call *call, enum err_kind kind, const char *what,
		 struct err *err)
{
	size_t size;
	const char *host = url_host(call->url, &size);

	err_fill(err, kind, "%s %.*s: %s", call->method, size < 100 ? (int)size : 100, host,
		 what);
	if (err)
		err->ambiguous = call->begun > 0;
	return false;
}

static bool fail_curl(const struct http_call *call, struct err *err)
{
	const char *what = call->reason[0] ? call->reason : curl_easy_strerror(call->code);

	switch (call->code) {
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return fail(call, ERR_PERMANENT, what, err);
	case CURLE_FILESIZE_EXCEEDED:
		return fail(call, ERR_PERMANENT, "the answer is larger than allowed", err);
	case CURLE_OPERATION_TIMEDOUT:
		return fail(call, ERR_TRANSIENT,
			    call->begun > 0 ? "no complete answer in time"
					    : "no connection in time",
			    err);
	case CURLE_GOT_NOTHING:
		return fail(call, ERR_TRANSIENT, "connection closed without an answer", err);
	case CURLE_PARTIAL_FILE:
		return fail(call, ERR_TRANSIENT, "connection closed in the middle of the body",
			    err);
	default:
		return fail(call, ERR_TRANSIENT, what, err);
	}
}

static void fill_response(struct http_call *call, struct http_response *ret_response)
{
	ret_response->status = call->status;
	ret_response->body = buf_take(&call->body, &ret_response->size);
	buf_add(&call->head, "", 1); /* an empty line ends the block */
	ret_response->headers = buf_take(&call->head, NULL);
	const char *type = http_response_header(ret_response, "Content-Type");
	ret_response->content_type = type ? type : "";
}

bool http_call_result(struct http_call *call, struct http_response *ret_response,
		      struct err *err)
{
	switch (call->cause) {
	case HTTP_CAUSE_CURL:
		if (call->code != CURLE_OK)
			return fail_curl(call, err);
		fill_response(call, ret_response);
		return true;
	case HTTP_CAUSE_LATE:
		return fail(call, ERR_TRANSIENT, "too late to begin, nothing was sent", err);
	case HTTP_CAUSE_REPEATED:
		return fail(call, ERR_TRANSIENT, "connection closed without an answer", err);
	case HTTP_CAUSE_TOO_LARGE:
		return fail(call, ERR_PERMANENT, "the answer is larger than allowed", err);
	case HTTP_CAUSE_NO_SLOT:
		return fail(call, ERR_TRANSIENT, "no free slot in time", err);
	case HTTP_CAUSE_STOPPING:
		return fail(call, ERR_STOPPING, "cancelled because the process stops", err);
	}
	return false;
}
