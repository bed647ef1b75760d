//! PURE. Settings, the terminal and the network.

macro_rules! general {
    ($next:ident $($rest:ident)*; $($before:tt)*) => {
        $next! { $($rest)*; $($before)*
            AuditReportCluster "audit-report-cluster"
                "A saved result of the audit is about another cluster, or does not tell about which."
                causes "The file is of another cluster, or the cluster was rebuilt."
                causes "The audit that wrote it could not read the UID of the namespace kube-system."
                remedy "Compare results of one cluster: keyless audit --report json=FILE saves one.";
            AuditReportMalformed "audit-report-malformed"
                "The file is no result of the audit."
                causes "It is another file, was cut off, or was edited."
                causes "Its verdict, its count and what it lists contradict each other."
                remedy "Save a result with keyless audit --report json=FILE.";
            AuditReportOrder "audit-report-order"
                "A saved result of the audit is newer than what it is compared with."
                causes "The two files of audit diff are in the wrong order."
                causes "The clock of a machine was wrong."
                remedy "Give the earlier result first.";
            AuditReportUnreadable "audit-report-unreadable"
                "A saved result of the audit cannot be read."
                causes "It does not exist, is no text, or is larger than any result."
                remedy "Name a file that keyless audit --report json=FILE has written.";
            AuditReportVersion "audit-report-version"
                "The result of the audit is of a version that this program does not read."
                causes "Another version of keyless wrote it."
                remedy "Use the version that wrote it, or make the audit again.";
            BaseUrl "base-url"
                "A setting is not the base URL of a service."
                causes "The scheme is missing, or http is used for another machine."
                causes "An AWS_ENDPOINT_URL variable, endpoint_url of an AWS profile, or Google's file of credentials names \
                    such an address."
                remedy "Write a URL such as https://fsn1.your-objectstorage.com.";
            CaFile "ca-file"
                "The file of certificate authorities cannot be used."
                causes "It does not exist, or holds no PEM certificate."
                remedy "Give PEM certificates with --ca-file, tls.caFile or vault.caFile.";
            ExceptionsMalformed "exceptions-malformed"
                "The file of exceptions is not of the form that audit reads."
                causes "An entry lacks its reason, owner or last day, or has a member that there is not."
                causes "An ID with wildcards, twice, or of a place without a code."
                remedy "Correct what the error names. `keyless config schema exceptions` shows the form.";
            ExceptionsUnreadable "exceptions-unreadable"
                "The file of exceptions cannot be read."
                causes "It does not exist, or is no text."
                remedy "Name an existing file with --exceptions.";
            EnvironmentSetting "environment-setting"
                "An environment variable cannot set what it is named after."
                causes "Its value is of another form than the setting, e.g. no number."
                causes "The settings file has a form into which no setting can be put."
                remedy "Correct or unset the variable that the error names. `keyless config view` shows where each \
                    setting comes from.";
            ExplainUnknown "explain-unknown"
                "There is no code and no setting of this name."
                causes "A typing error, or a name of another version."
                remedy "Run `keyless explain` without a name to list all codes and settings.";
            ConfigEndpoint "config-endpoint"
                "The settings file is not used, because it would send credentials to a server that only it names."
                causes "It was found in the current folder, and no flag names it."
                remedy "Read it. If it is right, name it with --config.";
            ConfigKubeconfig "config-kubeconfig"
                "The settings file is not used, because it would choose the kubeconfig."
                causes "It was found in the current folder, and no flag names it. A kubeconfig runs programs, and says which cluster's keys are published."
                remedy "Read both files. If they are right, name the settings file with --config; or name the kubeconfig with --kubeconfig or KUBECONFIG.";
            ConfigMalformed "config-malformed"
                "The settings file cannot be used."
                causes "It is not YAML, or has a field that is unknown or of another type."
                remedy "Correct the line in the error; `keyless config schema` prints what the file may hold.";
            ConfigExists "config-exists"
                "`keyless config init` writes no file over another."
                causes "There is a settings file, or a symbolic link of this name."
                remedy "Keep it, remove it first, or name another file with --config.";
            ConfigMissing "config-missing"
                "The settings file that --config names does not exist."
                causes "A typing error."
                remedy "Correct the path in --config.";
            ConfigName "config-name"
                "A settings file of another name is not read."
                causes "It ends with .yml. With a keyless.yaml beside it, this is a warning."
                remedy "Rename it to keyless.yaml, or name it with --config.";
            ConfigUnreadable "config-unreadable"
                "The settings file cannot be read."
                causes "It may not be read, or is not a text file."
                causes "It is a symbolic link without a target."
                remedy "Correct the file's rights, or name another file with --config.";
            ConfigUntrusted "config-untrusted"
                "The settings file is not used, because other users could have written it."
                causes "It or its folder belongs to another user, or others may write it."
                remedy "Read it. If it is right, name it with --config, or run `chmod go-w` on it and its \
                    folder.";
            ConfigVersion "config-version"
                "The apiVersion of the settings file is not one that this program reads."
                causes "The file is of another program or version."
                remedy "Write `apiVersion: keyless/v1`.";
            Confirmation "confirmation"
                "The command needs a confirmation, and stdin is not a terminal."
                causes "It runs in a script or pipeline."
                remedy "Give --yes to go on without asking, or --dry-run to see the plan only.";
            Connect "connect"
                "The server cannot be reached."
                causes "It is down, or the address or port is wrong."
                causes "A firewall or VPN."
                remedy "Check the address, the firewall, and HTTPS_PROXY. For the cluster: `kubectl config \
                    view --minify`.";
            Declined "declined"
                "The plan was declined."
                causes "The answer was not `y` or `yes`."
                remedy "Nothing; run the command again to apply the plan.";
            Dns "dns"
                "A host name cannot be resolved."
                causes "A typing error, or a new name."
                causes "DNS or VPN."
                remedy "Check the spelling; a new bucket or record can take a minute.";
            FlagForAnother "flag-for-another"
                "A flag belongs to another value of the flag beside it."
                causes "The flag is left over from another command."
                remedy "Leave the flag out.";
            HttpClient "http-client"
                "The HTTP client cannot be set up."
                causes "The TLS library refuses the certificates."
                remedy "Check the files of --ca-file and tls.caFile.";
            Http "http"
                "The answer is not a valid HTTP response."
                causes "Another service listens at this address."
                remedy "Check the address and what is before the server, then run the command again.";
            Interrupted "interrupted"
                "A signal stopped the program."
                causes "Ctrl-C, or a time limit of the scheduler."
                remedy "Run the command again: it goes on from what is there.";
            ManUnwritable "man-unwritable"
                "A manual page cannot be written."
                causes "The folder of --dir cannot be made, or may not be written."
                remedy "Name a folder that you may write with --dir.";
            Output "output"
                "The result cannot be written to stdout."
                causes "The disk is full."
                remedy "Make room, or send the output elsewhere.";
            PlanChanged "plan-changed"
                "What is there has changed since the plan was saved. Nothing was changed."
                causes "Another run, a controller or a person changed it."
                remedy "Save a new plan with `keyless setup --out FILE`, look at it, then apply it.";
            PlanConfig "plan-config"
                "`keyless apply` takes no settings file: the saved plan names its own."
                causes "--config was given."
                remedy "Leave --config out. For other settings, save a plan: `keyless setup --config FILE \
                    --out FILE`.";
            PlanDirectory "plan-directory"
                "The plan was saved in another folder."
                causes "Paths in it are relative to that folder."
                remedy "Change to the folder that the error names, then run `keyless apply` again.";
            PlanFile "plan-file"
                "The file is not a saved plan that this version applies."
                causes "It is another file, was edited, or is of another version."
                remedy "Save a plan with `keyless setup --out FILE`.";
            PlanOrder "plan-order"
                "A step of the plan waits for itself."
                causes "This is a bug."
                remedy "Report it. What was applied before stays.";
            PlanUnreadable "plan-unreadable"
                "The file of the saved plan cannot be read."
                causes "It does not exist, or may not be read."
                remedy "Save a plan with `keyless setup --out FILE`.";
            PlanUntrusted "plan-untrusted"
                "The plan is not applied, because other users could have written it."
                causes "It or its folder belongs to another user, or others may write it."
                remedy "Save the plan again in a folder that only you can write.";
            PlanUnwritable "plan-unwritable"
                "The plan cannot be saved."
                causes "The folder does not exist or is read-only."
                remedy "Name another file with --out.";
            ProxySetting "proxy-setting"
                "The setting of a proxy cannot be used."
                causes "It is not a URL of a known scheme."
                causes "HTTP_PROXY is set where REQUEST_METHOD is set."
                remedy "Write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT.";
            Proxy "proxy"
                "The proxy does not connect to the API server."
                causes "The proxy refuses, or cannot be reached."
                remedy "Check proxy-url in the kubeconfig, HTTPS_PROXY and NO_PROXY.";
            ReportUnwritable "report-unwritable"
                "A report of the audit cannot be written to its file."
                causes "The folder does not exist or is read-only."
                causes "The name is that of a folder or a device."
                remedy "Name another file with --report FORMAT=FILE.";
            Runtime "runtime"
                "The program cannot wait for the network or for signals on this system."
                causes "A limit on open files or processes."
                remedy "Raise the limit (`ulimit -n`), then run the command again.";
            SecretInDocument "secret-in-document"
                "A document would hold a secret, so it is not written."
                causes "A manifest in the cluster has a credential in it."
                remedy "Keep the value in a Secret that the object names.";
            SettingMissing "setting-missing"
                "A setting is not known, and there is no terminal to ask on."
                causes "It does not follow from the cluster."
                remedy "Set the value that the error names in keyless.yaml.";
            SettingNotForPods "setting-not-for-pods"
                "A setting has no meaning in the publisher's pods, or one that they need is missing."
                causes "It names a file of this machine, e.g. tls.caFile."
                causes "It names no bucket."
                remedy "Do what the hint of the error says about that setting.";
            SettingsNotWritten "settings-not-written"
                "The settings were not saved in the settings file."
                causes "It is read-only, a pipe, or has a form that keyless does not change."
                remedy "Add the settings that the warning names by hand.";
            SettingsPath "settings-path"
                "A file cannot be named in the settings file."
                causes "Its path does not exist or is not Unicode."
                remedy "Correct the path on the command line.";
            SettingsUndecided "settings-undecided"
                "Nothing was changed, because a settings file that no flag names would decide what is granted or removed."
                causes "The file was found in the current folder, where anyone may have put it."
                causes "`--yes` or `--out` was given, so no question is asked, and the cluster does not lead to the same without the \
                    file: its API servers sign as another issuer, or the store reads from another account."
                remedy "Read it. If it is right, name it: `--config keyless.yaml`. Or name the same by flags or variables, or run \
                    the command on a terminal without `--yes`.";
            SettingsUnwritable "settings-unwritable"
                "The settings file cannot be written. Nothing was changed."
                causes "The disk is full."
                remedy "Make room, or name another file with --config.";
            Terminal "terminal"
                "The answer to a question cannot be read."
                causes "The terminal was closed."
                remedy "Run the command on a terminal, or with --yes.";
            TimeLimit "time-limit"
                "The command did not end within the time of --timeout."
                causes "What it waits for takes longer, or a server is slow."
                remedy "Run the command again: it goes on from what is there. Give it more time with --timeout, or leave the flag out.";
            Timeout "timeout"
                "The server did not answer in time."
                causes "It is overloaded."
                causes "A firewall drops the connection."
                remedy "Check the server and what is before it: a proxy, a firewall, a VPN.";
            Tls "tls"
                "The server's certificate is not trusted, or TLS failed."
                causes "A certificate authority of your own."
                causes "The certificate has expired or is for another name."
                remedy "Give --ca-file or tls.caFile. For the API server, correct the certificate authority \
                    of the kubeconfig.";
        }
    };
}
