'use strict';
// Our business rule as an update set of `tocsin servicenow kit` has it (KIT names the file), and the
// ancestors' one, which goes on working.
const assert = require('node:assert');
const test = require('node:test');
const { GlideRecord, Instance } = require('./glide.js');
const { read } = require('./update_set.js');

const kit = read(process.env.KIT);
const SYS_ID = '9d385017c611228701d22104cc95c371';
const ours = { sys_id: SYS_ID, number: 'INC0010002', state: '1', short_description: 'Malware on pc-1 [SecureX]',
	correlation_id: 'tocsin-i:main:acme:0123456789abcdef:fedcba9876543210', sys_updated_by: 'tocsin.api' };

function instance(name = 'example', answer = () => 202) {
	return new Instance(name, { ...kit.messages, ...ancestor.messages }, answer);
}

test('a state that changes is told once, with the keys that find the ticket', () => {
	const snow = instance();
	const ticket = new GlideRecord('incident', ours);
	snow.update(ticket, { state: '6', close_code: 'Resolved by caller', sys_updated_by: 'abel.tuter',
		sys_updated_on: '2026-11-21 18:00:00' }, kit.rules);
	assert.equal(snow.requests.length, 0, 'the save does not wait');
	snow.jobs.forEach((job) => job());
	assert.equal(snow.requests.length, 1);
	const [request] = snow.requests;
	assert.equal(request.method, 'POST');
	assert.equal(request.url, 'https://tocsin.example.com/v1/servicenow/closed');
	assert.equal(request.headers['Content-Type'], 'application/json');
	assert.deepEqual(JSON.parse(request.body), {
		instance_name: 'example', table: 'incident', sys_id: SYS_ID, number: 'INC0010002',
		correlation_id: ours.correlation_id, state: '6', close_code: 'Resolved by caller',
		sys_updated_by: 'abel.tuter', sys_updated_on: '2026-11-21 18:00:00' });
});

for (const [what, values, changes] of [
	['of another product', { ...ours, correlation_id: 'other-1' }, { state: '6', sys_updated_by: 'abel.tuter' }],
	['of another installation', { ...ours, correlation_id: 'tocsin-i:staging:acme:0:0' },
		{ state: '6', sys_updated_by: 'abel.tuter' }],
	['whose state stays', ours, { urgency: '1', sys_updated_by: 'abel.tuter' }],
	['that our own user changes', ours, { state: '6', sys_updated_by: 'tocsin.api' }],
]) {
	test(`a ticket ${what} is not told`, () => {
		const snow = instance();
		snow.update(new GlideRecord('incident', values), changes, kit.rules);
		assert.equal(snow.jobs.length, 0);
	});
}

test('a ticket of the self-test is told, and a reopened one', () => {
	for (const [values, state, user] of [[{ ...ours, correlation_id: 'tocsin-t:main:1' }, '6', 'tocsin.api'],
		[{ ...ours, state: '6' }, '2', 'abel.tuter']]) {
		const snow = instance();
		snow.update(new GlideRecord('incident', values), { state, sys_updated_by: user }, kit.rules);
		snow.jobs.forEach((job) => job());
		assert.equal(JSON.parse(snow.requests[0].body).state, state);
	}
});

test('a canary is told although our own user ends it', () => {
	const snow = instance();
	snow.update(new GlideRecord('incident', ours), { state: '6', close_notes: 'Tocsin canary: a test of the whole way.',
		sys_updated_by: 'tocsin.api' }, kit.rules);
	snow.jobs.forEach((job) => job());
	assert.equal(snow.requests.length, 1);
});

test('a clone says its own name', () => {
	const snow = instance('exampletest', () => 403);
	snow.update(new GlideRecord('incident', ours), { state: '6', sys_updated_by: 'abel.tuter' }, kit.rules);
	snow.jobs.forEach((job) => job());
	assert.equal(JSON.parse(snow.requests[0].body).instance_name, 'exampletest');
	assert.match(snow.log[0], /^warn: Tocsin main answered 403 to the change of INC0010002/);
});

test('when Tocsin is away the save is over and the log says so', () => {
	const snow = instance('example', () => {
		throw new Error('Connection refused');
	});
	snow.update(new GlideRecord('incident', ours), { state: '7', sys_updated_by: 'abel.tuter' }, kit.rules);
	snow.jobs.forEach((job) => job());
	assert.equal(snow.committed.length, 1);
	assert.match(snow.log[0], /was not told of the change of INC0010002: Connection refused/);
});

// The form that runs at the ancestors' users: a before-rule which posts the second line of the newest
// work note, below ServiceNow's own header.
const ancestor = {
	messages: { 'SecureX Response API': { 'Trigger Response': { method: 'POST',
		endpoint: 'https://tocsin.example.com/iroh/iroh-response/${url_to_send}' } } },
	rule: { collection: 'incident', when: 'before', filter: 'state=7^short_descriptionENDSWITH[SecureX]^EQ',
		script: `
		var message = new sn_ws.RESTMessageV2('SecureX Response API', 'Trigger Response');
		message.setStringParameterNoEscape('url_to_send', current.work_notes.getJournalEntry(1).split('\\n')[1]);
		message.execute();` },
};

// Notes as Tocsin writes them, taken from a run when NOTES names them.
const notes = process.env.NOTES ? JSON.parse(process.env.NOTES)
	: ['Opened by Tocsin\nWhat happened ...', 'respond/trigger/tocsin/close?observable_type=ip&observable_value=%7B%7D\nThreat Response: https://...'];

function closed(texts) {
	const snow = instance();
	const ticket = new GlideRecord('incident', { ...ours, state: '6' });
	texts.forEach((text, minute) => ticket.work_notes.add(`2026-11-21 18:0${minute}:00`, 'Tocsin', text));
	snow.update(ticket, { state: '7', sys_updated_by: 'abel.tuter' }, [ancestor.rule]);
	return snow.requests;
}

test("the ancestors' rule posts the closing URL of our second note", () => {
	const [request] = closed(notes);
	const path = new URL(request.url).pathname;
	assert.equal(path, '/iroh/iroh-response/respond/trigger/tocsin/close');
	assert.equal(request.url, `https://tocsin.example.com/iroh/iroh-response/${notes[1].split('\n')[0]}`);
});

test("after a later note the ancestors' rule posts something else", () => {
	const [request] = closed([...notes, 'Two more findings']);
	assert.equal(request.url, 'https://tocsin.example.com/iroh/iroh-response/Two more findings');
});
