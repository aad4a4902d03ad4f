'use strict';
// The business rules and REST messages of an update set, read as an instance would import it.
const fs = require('node:fs');

const entities = { amp: '&', lt: '<', gt: '>', quot: '"' };
const unescape = (text) => text.replace(/&(\w+);/g, (all, name) => entities[name]);

function element(xml, name) {
	const found = new RegExp(`<${name}(?: [^>]*)?>([^]*?)</${name}>`).exec(xml);
	return found ? unescape(found[1]) : null;
}

function records(path) {
	const updates = fs.readFileSync(path, 'utf8').match(/<sys_update_xml [^]*?<\/sys_update_xml>/g) || [];
	return updates.map((update) => element(update, 'payload'));
}

function read(path) {
	const all = records(path);
	const of = (table) => all.filter((payload) => payload.includes(`<record_update table="${table}">`));
	const messages = {};

	for (const fn of of('sys_rest_message_fn')) {
		const parent = /<rest_message display_value="([^"]*)">/.exec(fn)[1];
		messages[parent] = { ...messages[parent], [element(fn, 'function_name')]: {
			method: element(fn, 'http_method').toUpperCase(), endpoint: element(fn, 'rest_endpoint') } };
	}
	const rules = of('sys_script').map((rule) => ({
		collection: element(rule, 'collection'), when: element(rule, 'when'),
		filter: element(rule, 'filter_condition'), script: element(rule, 'script') }));
	return { messages, rules };
}

module.exports = { read };
