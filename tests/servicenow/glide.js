'use strict';
// As much of a ServiceNow instance as business rules see: records with journal fields, encoded queries
// as conditions, and outbound REST. Journal entries carry ServiceNow's own header line and come newest
// first. Scripts run as ES5, as in Rhino: no more than that is offered to them.
const vm = require('node:vm');

class Journal {
	constructor(label) {
		this.label = label;
		this.entries = [];
	}

	add(when, user, text) {
		this.entries.unshift(`${when} - ${user} (${this.label})\n${text}\n\n`);
	}

	// 1: the newest entry; -1: all of them, newest first.
	getJournalEntry(number) {
		return number === -1 ? this.entries.join('') : this.entries[number - 1] || '';
	}
}

class GlideRecord {
	constructor(table, values) {
		this.table = table;
		this.before = { ...values };
		this.values = { ...values };
		this.work_notes = new Journal('Work notes');
	}

	set(values) {
		Object.assign(this.values, values);
	}

	getTableName() {
		return this.table;
	}

	getUniqueValue() {
		return this.values.sys_id;
	}

	// Scalars are text; an empty one is null.
	getValue(name) {
		const value = this.values[name];
		return value === undefined || value === '' ? null : String(value);
	}
}

const operators = [
	['STARTSWITH', (now, before, value) => now.startsWith(value)],
	['ENDSWITH', (now, before, value) => now.endsWith(value)],
	['VALCHANGES', (now, before) => now !== before],
	['!=', (now, before, value) => now !== value],
	['=', (now, before, value) => now === value],
];

function holds(record, condition) {
	for (const [operator, test] of operators) {
		const at = condition.indexOf(operator);
		if (at <= 0)
			continue;
		const name = condition.slice(0, at);
		const [now, before] = [record.values, record.before].map((values) => String(values[name] ?? ''));
		return test(now, before, condition.slice(at + operator.length));
	}
	throw new Error(`no such condition: ${condition}`);
}

// ^OR binds to the condition before it, ^NQ begins another query, ^EQ ends it all.
function matches(record, query) {
	return query.replace(/\^EQ$/, '').split('^NQ').some((one) => one.split(/\^(?!OR)/)
		.every((part) => part.split('^OR').some((condition) => holds(record, condition))));
}

class Instance {
	// messages: { name: { function: { method, endpoint } } }; answer(request) gives a status or throws.
	constructor(name, messages, answer) {
		this.name = name;
		this.messages = messages;
		this.answer = answer;
		this.requests = [];
		this.log = [];
		this.committed = [];
	}

	restMessage() {
		const instance = this;

		return class RESTMessageV2 {
			constructor(message, fn) {
				this.fn = (instance.messages[message] || {})[fn];
				if (!this.fn)
					throw new Error(`no REST message ${message} with ${fn}`);
				this.variables = {};
				this.headers = {};
			}

			setStringParameterNoEscape(name, value) {
				this.variables[name] = value;
			}

			setRequestHeader(name, value) {
				this.headers[name] = value;
			}

			setRequestBody(body) {
				this.body = body;
			}

			setHttpTimeout() {
			}

			execute() {
				const url = this.fn.endpoint.replace(/\$\{(\w+)\}/g, (all, name) => this.variables[name]);
				const request = { method: this.fn.method, url, headers: this.headers, body: this.body };
				instance.requests.push(request);
				const status = instance.answer(request);
				return { getStatusCode: () => status, getBody: () => '{}' };
			}
		};
	}

	// One update of a record, with the rules of its table. Before-rules run in the save, and what they
	// throw would stop it; asynchronous ones run when it is over.
	update(record, values, rules) {
		record.set(values);
		const due = rules.filter((rule) => rule.collection === record.table && matches(record, rule.filter));
		for (const rule of due.filter((each) => each.when === 'before'))
			this.run(rule, record);
		this.committed.push({ ...record.values });
		record.before = { ...record.values };
		this.jobs = due.filter((each) => each.when === 'async').map((rule) => () => this.run(rule, record));
	}

	run(rule, record) {
		const gs = { getProperty: (name) => (name === 'instance_name' ? this.name : null) };
		for (const level of ['info', 'warn', 'error'])
			gs[level] = (text) => this.log.push(`${level}: ${text}`);
		vm.runInNewContext(`'use strict';${rule.script}`, {
			current: record, gs, sn_ws: { RESTMessageV2: this.restMessage() },
		});
	}
}

module.exports = { GlideRecord, Instance, matches };
