#include "normalize/attack.h"

#include <string.h>

#include "model/json_tree.h"

#include "normalize/record.h"

/* "TA0002", "T1059", "T1059.001" */
static bool is_attack_id(const char *text, const char *letters)
{
	size_t size = strlen(letters);

	if (!text || strncmp(text, letters, size) != 0)
		return false;
	text += size;
	if (strspn(text, "0123456789") != 4)
		return false;
	return text[4] == '\0' || (letters[1] == '\0' && text[4] == '.' &&
				   strspn(text + 5, "0123456789") == 3 && text[8] == '\0');
}

static const char *tactic_name(const char *uid)
{
	/* attack.mitre.org, enterprise */
	static const struct {
		const char *uid, *name;
	} tactics[] = {
		{ "TA0001", "Initial Access" },
		{ "TA0002", "Execution" },
		{ "TA0003", "Persistence" },
		{ "TA0004", "Privilege Escalation" },
		{ "TA0005", "Defense Evasion" },
		{ "TA0006", "Credential Access" },
		{ "TA0007", "Discovery" },
		{ "TA0008", "Lateral Movement" },
		{ "TA0009", "Collection" },
		{ "TA0010", "Exfiltration" },
		{ "TA0011", "Command and Control" },
		{ "TA0040", "Impact" },
		{ "TA0042", "Resource Development" },
		{ "TA0043", "Reconnaissance" },
	};

	for (size_t i = 0; i < sizeof tactics / sizeof tactics[0]; i++) {
		if (strcmp(tactics[i].uid, uid) == 0)
			return tactics[i].name;
	}
	return NULL;
}

struct attack_id {
	const char *uid, *name;
};

/* Items are texts, or objects {external_id, mitre_name or name, ...}. Returns how many. */
static size_t read_attack_ids(struct json_node *list, const char *letters,
			      struct attack_id *ret_ids)
{
	size_t count = 0;

	if (!list || list->kind != JSON_NODE_ARRAY)
		return 0;
	for (struct json_node *item = list->first; item; item = item->next) {
		bool is_text = item->kind == JSON_NODE_TEXT;
		const char *uid = is_text ? item->text : record_peek_text(item, "external_id");
		size_t known = 0;
		if (!is_attack_id(uid, letters) || count == OCSF_ATTACKS_MAX)
			continue;
		if (is_text)
			item->used = true;
		else
			(void)record_text(item, "external_id");
		const char *name = record_text(item, "mitre_name");
		if (!name)
			name = record_text(item, "name");
		while (known < count && strcmp(ret_ids[known].uid, uid) != 0)
			known++;
		if (known == count)
			ret_ids[count++] = (struct attack_id){ uid, name };
	}
	return count;
}

static void add(struct ocsf_finding *finding, const struct attack_id *tactic,
		const struct attack_id *technique)
{
	struct ocsf_attack attack = { 0 };

	if (finding->attack_count == OCSF_ATTACKS_MAX)
		return;
	if (tactic) {
		attack.tactic_uid = tactic->uid;
		attack.tactic_name = tactic_name(tactic->uid);
		if (!attack.tactic_name)
			attack.tactic_name = tactic->name;
	}
	if (technique) {
		attack.technique_uid = technique->uid;
		attack.technique_name = technique->name;
	}
	finding->attacks[finding->attack_count++] = attack;
}

void attack_read(struct ocsf_finding *finding, struct json_node *tactics,
		 struct json_node *techniques)
{
	struct attack_id wide[OCSF_ATTACKS_MAX], narrow[OCSF_ATTACKS_MAX];
	size_t wide_count = read_attack_ids(tactics, "TA", wide);
	size_t narrow_count = read_attack_ids(techniques, "T", narrow);
	const struct attack_id *common = wide_count == 1 ? &wide[0] : NULL;

	if (!common || narrow_count == 0) {
		for (size_t i = 0; i < wide_count; i++)
			add(finding, &wide[i], NULL);
	}
	for (size_t i = 0; i < narrow_count; i++)
		add(finding, common, &narrow[i]);
}

void attack_add_tactic(struct ocsf_finding *finding, const char *uid)
{
	if (finding->attack_count == 0) {
		add(finding, &(struct attack_id){ uid, NULL }, NULL);
		return;
	}
	for (size_t i = 0; i < finding->attack_count; i++) {
		if (finding->attacks[i].tactic_uid)
			continue;
		finding->attacks[i].tactic_uid = uid;
		finding->attacks[i].tactic_name = tactic_name(uid);
	}
}
