#ifndef CLI_COMMAND_OPTIONS_H
#define CLI_COMMAND_OPTIONS_H

#include "command.h"

/* What follows each command; ended by a zeroed row. */
extern const struct command_option options_rules_check[], options_rules_test[],
    options_template_show[], options_template_test[], options_help[], options_setup[],
    options_keygen[], options_customer_add[], options_apply[], options_secret[],
    options_import[], options_resume[], options_remove[], options_customer_remove[],
    options_test[], options_canary[], options_kit[], options_account_add[], options_push_add[],
    options_push_rotate[], options_push_send[], options_push_remove[], options_connect[],
    options_connect_rotate[], options_incident_list[], options_incident_close[],
    options_incident_release[], options_write_off[], options_containment_list[],
    options_freeze[], options_trace[], options_collect[], options_replay[], options_audit[],
    options_dead_list[], options_dead_replay[], options_dead_drop[], options_dead_export[],
    options_restore[];

#endif
