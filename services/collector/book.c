/* From the directory of customers to tasks. */
#include "book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "model/customer.h"
#include "pool.h"
#include "source/source.h"

void book_init(struct book *book, struct pool *pool, unsigned partitions)
{
	*book = (struct book){ .pool = pool, .partitions = partitions };
}

void book_done(struct book *book)
{
	for (size_t i = 0; i < book->count; i++) {
		pool_withdraw(book->pool, book->tasks[i]);
		free(book->tasks[i]);
	}
	free(book->tasks);
	*book = (struct book){ 0 };
}

static int compare(const void *one, const void *two)
{
	const struct task *a = *(struct task *const *)one;
	const struct task *b = *(struct task *const *)two;
	int order = (a->partition > b->partition) - (a->partition < b->partition);

	if (order == 0)
		order = strcmp(a->customer, b->customer);
	return order ? order : strcmp(a->source, b->source);
}

static struct task *find(const struct book *book, size_t count, const struct task *like)
{
	struct task **found =
	    count > 0 ? bsearch(&like, book->tasks, count, sizeof(struct task *), compare)
		      : NULL;

	return found ? *found : NULL;
}

static bool is_wanted(const struct book *book, const struct directory *directory,
		      const struct customer *customer, const struct customer_source *source)
{
	const struct source_driver *driver = source_find(source->name);
	const struct account *account = directory_account(directory, source->account);

	if (customer->mode == CUSTOMER_PAUSED)
		return false;
	if (!driver) {
		log_warn("customer %s: this build cannot poll the source %s", customer->id,
			 source->name);
		return false;
	}
	if (!account || account->kind != driver->account) {
		log_error("customer %s: source %s has no account of kind %s", customer->id,
			  source->name, account_kind_name(driver->account));
		return false;
	}
	if (customer->partition >= book->partitions) {
		log_error("customer %s is of partition %u, TOCSIN_PARTITIONS is %u",
			  customer->id, customer->partition, book->partitions);
		return false;
	}
	return true;
}

static struct task *add(struct book *book, const struct task *like)
{
	struct task *task = xcalloc(1, sizeof(*task));
	char name[sizeof(task->customer) + sizeof(task->source)];

	memcpy(task->customer, like->customer, sizeof(task->customer));
	memcpy(task->source, like->source, sizeof(task->source));
	task->partition = like->partition;
	snprintf(name, sizeof(name), "%s:%s", task->customer, task->source);
	lease_init(&task->lease, task->partition, name);
	book->tasks = xrealloc(book->tasks, (book->count + 1) * sizeof(struct task *));
	book->tasks[book->count++] = task;
	return task;
}

/* known is how many tasks are sorted: those added now are not looked for. */
static void follow_source(struct book *book, size_t known, const struct customer *customer,
			  const struct customer_source *source)
{
	struct task like = { .partition = customer->partition };

	snprintf(like.customer, sizeof(like.customer), "%s", customer->id);
	snprintf(like.source, sizeof(like.source), "%s", source->name);

	struct task *task = find(book, known, &like);

	if (!task)
		task = add(book, &like);
	task->wanted = true;
	pool_pace(book->pool, task, source->interval_ms,
		  schedule_phase(customer->id, source->name, source->interval_ms));
}

void book_follow(struct book *book, const struct directory *directory, uint64_t version)
{
	size_t known = book->count;

	if (version != 0 && book->version == version)
		return;
	book->version = version;
	for (size_t i = 0; i < known; i++)
		book->tasks[i]->wanted = false;
	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);

		for (size_t j = 0; j < customer->source_count; j++) {
			if (is_wanted(book, directory, customer, &customer->sources[j]))
				follow_source(book, known, customer, &customer->sources[j]);
		}
	}
	qsort(book->tasks, book->count, sizeof(struct task *), compare);
}

void book_sweep(struct book *book)
{
	size_t kept = 0;

	for (size_t i = 0; i < book->count; i++) {
		struct task *task = book->tasks[i];

		if (task->wanted || pool_holds(book->pool, task, NULL) ||
		    !pool_is_idle(book->pool, task))
			book->tasks[kept++] = task;
		else
			free(task);
	}
	book->count = kept;
}

size_t book_held(const struct book *book)
{
	size_t held = 0;

	for (size_t i = 0; i < book->count; i++)
		held += pool_holds(book->pool, book->tasks[i], NULL);
	return held;
}
