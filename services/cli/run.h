#ifndef CLI_RUN_H
#define CLI_RUN_H

/* The functions behind the rows of the table, one file each or one for a few that belong
 * together. All return an enum exit_code and have told on stderr what went wrong. */
struct cli;

int run_help(struct cli *cli);
int run_completion(struct cli *cli);

int run_source_check(struct cli *cli);
int run_setup(struct cli *cli);
int run_keygen(struct cli *cli);
int run_backup(struct cli *cli);
int run_restore(struct cli *cli);

int run_customer_add(struct cli *cli);
int run_customer_apply(struct cli *cli);
int run_customer_secret(struct cli *cli);
int run_customer_import(struct cli *cli);
int run_customer_list(struct cli *cli);
int run_customer_show(struct cli *cli);
int run_customer_verify(struct cli *cli);
int run_customer_pause(struct cli *cli);
int run_customer_resume(struct cli *cli);
int run_customer_remove(struct cli *cli);
int run_customer_reseal(struct cli *cli);

int run_account_add(struct cli *cli);
int run_account_apply(struct cli *cli);
int run_account_secret(struct cli *cli);
int run_account_list(struct cli *cli);
int run_account_show(struct cli *cli);
int run_account_verify(struct cli *cli);
int run_account_resume(struct cli *cli);
int run_account_remove(struct cli *cli);

int run_servicenow_kit(struct cli *cli);
int run_servicenow_test(struct cli *cli);
int run_canary(struct cli *cli);
int run_servicenow_connect(struct cli *cli);
int run_servicenow_rotate(struct cli *cli);
int run_servicenow_disconnect(struct cli *cli);

int run_push_add(struct cli *cli);
int run_push_rotate(struct cli *cli);
int run_push_show(struct cli *cli);
int run_push_remove(struct cli *cli);
int run_push_send(struct cli *cli);

int run_rules_list(struct cli *cli);
int run_rules_check(struct cli *cli);
int run_rules_test(struct cli *cli);
int run_template_check(struct cli *cli);
int run_template_show(struct cli *cli);
int run_template_test(struct cli *cli);

int run_status(struct cli *cli);
int run_incident_list(struct cli *cli);
int run_incident_show(struct cli *cli);
int run_incident_retry(struct cli *cli);
int run_incident_close(struct cli *cli);
int run_incident_reopen(struct cli *cli);
int run_incident_release(struct cli *cli);
int run_containment_list(struct cli *cli);
int run_containment_approve(struct cli *cli);
int run_containment_release(struct cli *cli);
int run_containment_write_off(struct cli *cli);
int run_freeze(struct cli *cli);
int run_unfreeze(struct cli *cli);
int run_trace(struct cli *cli);
int run_collect(struct cli *cli);
int run_replay(struct cli *cli);
int run_audit(struct cli *cli);
int run_dead_list(struct cli *cli);
int run_dead_show(struct cli *cli);
int run_dead_replay(struct cli *cli);
int run_dead_drop(struct cli *cli);
int run_dead_export(struct cli *cli);

#endif
