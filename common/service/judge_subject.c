#include "judge_subject.h"

#include <string.h>

#include "base/arena.h"
#include "model/json_tree.h"

struct builder {
	struct arena *arena;
	bool unusual;
};

/* A copy of value, children shared; NULL is null. */
static struct json_node *copy(struct builder *builder, const struct json_node *value)
{
	struct json_node *node = arena_alloc(builder->arena, sizeof *node);

	if (value)
		*node = *value;
	node->next = NULL;
	return node;
}

/* In front: members are found by name, and lists are built from their end. */
static void put(struct json_node *parent, const char *name, struct json_node *child)
{
	child->name = name;
	child->name_size = name ? strlen(name) : 0;
	child->next = parent->first;
	parent->first = child;
	parent->size++;
}

/* Of the one kind that is usual, or NULL: missing and null are as usual. */
static const struct json_node *usual(struct builder *builder, const struct json_node *node,
				     enum json_kind kind)
{
	if (!node || node->kind == JSON_NODE_NULL)
		return NULL;
	if (node->kind == kind)
		return node;
	builder->unusual = true;
	return NULL;
}

static bool is_true(const struct json_node *node)
{
	return node && node->kind != JSON_NODE_NULL &&
	       (node->kind != JSON_NODE_BOOL || node->truth);
}

static struct json_node *host_of(struct builder *builder, const struct json_node *finding)
{
	static const char *const names[] = { "hostname", "uid", "ip" };
	const struct json_node *device =
	    usual(builder, json_tree_get(finding, "device"), JSON_NODE_OBJECT);
	const struct json_node *os =
	    usual(builder, json_tree_get(device, "os"), JSON_NODE_OBJECT);
	const struct json_node *name = json_tree_get(device, "name");
	struct json_node *host = copy(builder, &(struct json_node){ JSON_NODE_OBJECT });

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		put(host, names[i], copy(builder, json_tree_get(device, names[i])));
	if (!is_true(name))
		name = json_tree_get(device, "hostname");
	put(host, "name", copy(builder, name));
	put(host, "os", copy(builder, json_tree_get(os, "name")));
	return host;
}

static void append(struct json_node *list, struct json_node **last, struct json_node *item)
{
	item->name = NULL;
	item->name_size = 0;
	if (*last)
		(*last)->next = item;
	else
		list->first = item;
	*last = item;
	list->size++;
}

/* Hashes and names of the files that evidences tell of. */
static void put_files(struct builder *builder, struct json_node *subject,
		      const struct json_node *finding)
{
	struct json_node *hashes = copy(builder, &(struct json_node){ JSON_NODE_ARRAY });
	struct json_node *files = copy(builder, &(struct json_node){ JSON_NODE_ARRAY });
	struct json_node *last_hash = NULL, *last_file = NULL;
	const struct json_node *list =
	    usual(builder, json_tree_get(finding, "evidences"), JSON_NODE_ARRAY);

	for (const struct json_node *at = list ? list->first : NULL; at; at = at->next) {
		const struct json_node *evidence = usual(builder, at, JSON_NODE_OBJECT);
		const struct json_node *file =
		    usual(builder, json_tree_get(evidence, "file"), JSON_NODE_OBJECT);
		const struct json_node *name = json_tree_get(file, "name");
		const struct json_node *all =
		    usual(builder, json_tree_get(file, "hashes"), JSON_NODE_ARRAY);

		if (is_true(name))
			append(files, &last_file, copy(builder, name));
		for (const struct json_node *hash = all ? all->first : NULL; hash;
		     hash = hash->next)
			append(
			    hashes, &last_hash,
			    copy(builder, json_tree_get(usual(builder, hash, JSON_NODE_OBJECT),
							"value")));
	}
	put(subject, "hashes", hashes);
	put(subject, "files", files);
}

const struct json_node *judge_subject(const struct json_node *finding, const char *customer,
				      const char *source, struct arena *arena)
{
	struct builder builder = { .arena = arena };
	const struct json_node *told = json_tree_parse(customer, strlen(customer), arena, NULL);
	struct json_node *subject = copy(&builder, &(struct json_node){ JSON_NODE_OBJECT });

	put(subject, "finding", copy(&builder, finding));
	put(subject, "customer", copy(&builder, told));
	put(subject, "source",
	    copy(&builder, &(struct json_node){ JSON_NODE_TEXT, .text = source,
						.size = strlen(source) }));
	put(subject, "host", host_of(&builder, finding));
	put_files(&builder, subject, finding);
	return finding->kind == JSON_NODE_OBJECT && told && !builder.unusual ? subject : NULL;
}
