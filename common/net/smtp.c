/* Mail by libcurl: its MIME writer, its TLS, its SMTP. */
#include "smtp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/control.h"

enum { HEADER_MAX = 4096, CONNECT_TIMEOUT_MS = 5000, TIMEOUT_MS = 30000 };

const char *smtp_address(const char *text, char *buf, size_t size)
{
	const char *open = strchr(text, '<');
	const char *start = open ? open + 1 : text;
	size_t length = open ? strcspn(start, ">") : strlen(start);

	if (open && (start[length] != '>' || start[length + 1] != '\0'))
		return NULL;
	if (length == 0 || length >= size)
		return NULL;
	memcpy(buf, start, length);
	buf[length] = '\0';
	const char *at = strchr(buf, '@');

	if (!at || at == buf || at[1] == '\0' || strchr(at + 1, '@'))
		return NULL;
	for (const char *p = buf; *p; p++) {
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("<>()[],;:\\\"", *p))
			return NULL;
	}
	return buf;
}

static bool ascii(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text >= 0x80)
			return false;
	}
	return true;
}

/* RFC 2047: words of at most 75 characters, each whole UTF-8; 45 bytes make 60 of base64. */
static void add_encoded(struct buf *out, const char *text)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	while (*text) {
		size_t size = strnlen(text, 45);

		while (size > 1 && ((unsigned char)text[size] & 0xc0) == 0x80)
			size--;
		buf_adds(out, "=?UTF-8?B?");
		for (size_t i = 0; i < size; i += 3) {
			unsigned char in[3] = { 0 };
			size_t have = size - i < 3 ? size - i : 3;

			memcpy(in, text + i, have);
			unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
			char quad[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63],
					 have > 1 ? alphabet[bits >> 6 & 63] : '=',
					 have > 2 ? alphabet[bits & 63] : '=' };

			buf_add(out, quad, sizeof(quad));
		}
		buf_adds(out, "?=");
		text += size;
		if (*text)
			buf_adds(out, "\r\n ");
	}
}

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
	struct buf line;

	buf_init(&line, HEADER_MAX);
	buf_addf(&line, "%s: ", name);
	if (ascii(value))
		buf_adds(&line, value);
	else
		add_encoded(&line, value);
	*list = curl_slist_append(*list, buf_text(&line));
	buf_done(&line);
}

static void add_date(struct curl_slist **list, uint64_t date_ms)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(date_ms / 1000);
	struct tm tm;
	char text[64];

	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday],
		 tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
	add_header(list, "Date", text);
}

/* One letter: what the server is told about it, and its headers and parts. */
struct letter {
	CURL *curl;
	struct curl_slist *recipients;
	struct curl_slist *headers;
	curl_mime *mime;
};

static void letter_done(struct letter *letter)
{
	curl_mime_free(letter->mime);
	curl_slist_free_all(letter->recipients);
	curl_slist_free_all(letter->headers);
	curl_easy_cleanup(letter->curl);
}

static bool letter_address(struct letter *letter, const struct smtp_mail *mail, struct err *err)
{
	char address[256];
	struct buf all;

	if (!smtp_address(mail->from, address, sizeof(address)))
		return err_set(err, ERR_PERMANENT, "sender \"%s\" is not a mail address",
			       mail->from);
	curl_easy_setopt(letter->curl, CURLOPT_MAIL_FROM, address);
	buf_init(&all, HEADER_MAX);
	for (size_t i = 0; mail->to[i]; i++) {
		if (!smtp_address(mail->to[i], address, sizeof(address))) {
			buf_done(&all);
			return err_set(err, ERR_PERMANENT,
				       "recipient \"%s\" is not a mail address", mail->to[i]);
		}
		letter->recipients = curl_slist_append(letter->recipients, address);
		buf_addf(&all, "%s%s", i ? ",\r\n " : "", address);
	}
	if (!letter->recipients || !buf_ok(&all)) {
		buf_done(&all);
		return err_set(err, ERR_PERMANENT, "no recipients, or too many");
	}
	add_header(&letter->headers, "To", buf_text(&all));
	buf_done(&all);
	return true;
}

static void letter_part(curl_mime *mime, const char *type, const char *text)
{
	curl_mimepart *part = curl_mime_addpart(mime);

	curl_mime_data(part, text, CURL_ZERO_TERMINATED);
	curl_mime_type(part, type);
	curl_mime_encoder(part, "quoted-printable");
}

static bool letter_write(struct letter *letter, const struct smtp_mail *mail, struct err *err)
{
	if (has_control(mail->subject) || has_control(mail->from) ||
	    has_control(mail->message_id) || !ascii(mail->message_id))
		return err_set(err, ERR_PERMANENT,
			       "a header of the mail has control characters");
	if (!letter_address(letter, mail, err))
		return false;
	add_header(&letter->headers, "From", mail->from);
	add_header(&letter->headers, "Subject", mail->subject);
	add_header(&letter->headers, "Message-ID", mail->message_id);
	add_date(&letter->headers, mail->date_ms);
	/* RFC 3834: no vacation notices in return. */
	add_header(&letter->headers, "Auto-Submitted", "auto-generated");
	letter->mime = curl_mime_init(letter->curl);
	curl_mimepart *body = curl_mime_addpart(letter->mime);
	curl_mime *parts = curl_mime_init(letter->curl);

	letter_part(parts, "text/plain; charset=utf-8", mail->text);
	letter_part(parts, "text/html; charset=utf-8", mail->html);
	curl_mime_subparts(body, parts);
	curl_mime_type(body, "multipart/alternative");
	struct curl_slist *none = curl_slist_append(NULL, "Content-Disposition: inline");

	curl_mime_headers(body, none, 1);
	return true;
}

static bool neighbour(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t length = strcspn(host, ":/");

	return !memchr(host, '.', length) || strncmp(host, "127.", 4) == 0;
}

static void letter_reach(struct letter *letter, const struct smtp_server *server)
{
	CURL *curl = letter->curl;
	bool implicit = strncasecmp(server->url, "smtps://", 8) == 0;

	curl_easy_setopt(curl, CURLOPT_URL, server->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(
	    curl, CURLOPT_USE_SSL,
	    (long)(!implicit && neighbour(server->url) ? CURLUSESSL_TRY : CURLUSESSL_ALL));
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (server->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, server->ca_file);
	if (server->user) {
		curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
		curl_easy_setopt(curl, CURLOPT_PASSWORD, server->password);
	}
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(server->connect_timeout_ms ? server->connect_timeout_ms
							   : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
			 (long)(server->timeout_ms ? server->timeout_ms : TIMEOUT_MS));
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, letter->recipients);
#if LIBCURL_VERSION_NUM >= 0x080200
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L);
#else
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
#endif
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, letter->headers);
	curl_easy_setopt(curl, CURLOPT_MIMEPOST, letter->mime);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
}

static enum err_kind kind_of(CURLcode code, long reply)
{
	switch (code) {
	case CURLE_LOGIN_DENIED:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_USE_SSL_FAILED:
		return ERR_ACCOUNT;
	default:
		if (reply == 530 || reply == 535)
			return ERR_ACCOUNT;
		return reply >= 500 && reply <= 599 ? ERR_PERMANENT : ERR_TRANSIENT;
	}
}

static bool letter_send(struct letter *letter, const struct smtp_server *server,
			struct err *err)
{
	char why[CURL_ERROR_SIZE] = "";
	long reply = 0;
	curl_off_t sent = 0;

	letter_reach(letter, server);
	curl_easy_setopt(letter->curl, CURLOPT_ERRORBUFFER, why);
	CURLcode code = curl_easy_perform(letter->curl);

	curl_easy_setopt(letter->curl, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK)
		return true;
	curl_easy_getinfo(letter->curl, CURLINFO_RESPONSE_CODE, &reply);
	curl_easy_getinfo(letter->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
	enum err_kind kind = kind_of(code, reply);

	err_fill(err, kind, "mail server %s: %s%s", server->url, why[0] ? why : "",
		 why[0] ? "" : curl_easy_strerror(code));
	err->ambiguous = kind == ERR_TRANSIENT && sent > 0 && (reply < 400 || reply > 599);
	return false;
}

bool smtp_send(const struct smtp_server *server, const struct smtp_mail *mail, struct err *err)
{
	struct letter letter = { 0 };

	if (strncasecmp(server->url, "smtp://", 7) != 0 &&
	    strncasecmp(server->url, "smtps://", 8) != 0)
		return err_set(err, ERR_PERMANENT, "%s is not smtp:// or smtps://",
			       server->url);
	letter.curl = curl_easy_init();
	if (!letter.curl)
		return err_set(err, ERR_TRANSIENT, "libcurl has no memory");
	bool ok = letter_write(&letter, mail, err) && letter_send(&letter, server, err);

	letter_done(&letter);
	return ok;
}
