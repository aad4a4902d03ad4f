// Tells Tocsin (installation @INSTALLATION@) that one of its tickets has changed state. Asynchronous: no
// save waits for it. A call that fails is not repeated: Tocsin reads its tickets by itself every few minutes.
// Linked to the instance @INSTANCE_NAME@; from a clone the call is refused, and Tocsin says so.
(function executeRule(current) {
	var said = {
		instance_name: gs.getProperty('instance_name'),
		table: current.getTableName(),
		sys_id: current.getUniqueValue(),
		number: current.getValue('number'),
		correlation_id: current.getValue('correlation_id'),
		state: current.getValue('state'),
		close_code: current.getValue('close_code') || '',
		sys_updated_by: current.getValue('sys_updated_by'),
		sys_updated_on: current.getValue('sys_updated_on')
	};
	try {
		var message = new sn_ws.RESTMessageV2('@MESSAGE@', 'closed');
		message.setRequestHeader('Content-Type', 'application/json');
		message.setRequestBody(JSON.stringify(said));
		message.setHttpTimeout(10000);
		var status = message.execute().getStatusCode();
		if (status < 200 || status > 299)
			gs.warn('Tocsin @INSTALLATION@ answered ' + status + ' to the change of ' + said.number);
	} catch (ex) {
		gs.warn('Tocsin @INSTALLATION@ was not told of the change of ' + said.number + ': ' + ex.message);
	}
})(current);
