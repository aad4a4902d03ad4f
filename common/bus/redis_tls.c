#include "bus/redis_tls.h"

#ifdef TOCSIN_REDIS_TLS

#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

bool redis_tls_available(void)
{
	return true;
}

/* hiredis's own set-up does not compare the host name, so OpenSSL is told to. */
static SSL *session_new(const char *host, const char *ca_file)
{
	SSL *session = NULL;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (!context)
		return NULL;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	int loaded = ca_file ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
			     : SSL_CTX_set_default_verify_paths(context);
	if (loaded == 1 && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1)
		session = SSL_new(context);
	SSL_CTX_free(context); /* the session holds its own reference */
	if (!session)
		return NULL;
	X509_VERIFY_PARAM *param = SSL_get0_param(session);
	bool address = X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	if (!address && (SSL_set1_host(session, host) != 1 ||
			 SSL_set_tlsext_host_name(session, host) != 1)) {
		SSL_free(session);
		return NULL;
	}
	return session;
}

bool redis_tls_start(redisContext *context, const char *host, const char *ca_file,
		     struct err *err)
{
	SSL *session = session_new(host, ca_file);
	if (!session)
		return err_set(err, ERR_TRANSIENT, "TLS to Redis: cannot use the CA file %s",
			       ca_file ? ca_file : "of the system");
	/* Takes the session over, also when it fails. */
	if (redisInitiateSSL(context, session) != REDIS_OK)
		return err_set(err, ERR_TRANSIENT, "TLS to Redis at %s: %s", host,
			       context->errstr);
	return true;
}

#else

bool redis_tls_available(void)
{
	return false;
}

bool redis_tls_start(redisContext *context, const char *host, const char *ca_file,
		     struct err *err)
{
	(void)context;
	(void)ca_file;
	return err_set(err, ERR_PERMANENT, "this build has no TLS to Redis at %s", host);
}

#endif
