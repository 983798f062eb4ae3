"""Technologies and modern kinds of developers, written by hand: what the ontologies lack or throw together.

O*NET and ESCO know one software developer. Vacancies ask for a Java developer and do not take a JavaScript
developer. Each technology is a group whose titles belong together, and whose titles are negatives of every
other.
"""

from itertools import product

from rolecall.training.data.ontology import Occupation

# Each line is one technology by its names.
TECHNOLOGIES = """
    Java; JavaScript, JS; TypeScript; Python; C++; C#, C sharp; C; Go, Golang; Rust; Ruby
    Ruby on Rails, Rails; PHP; Laravel; Perl; Scala; Kotlin; Swift; Objective-C; R; MATLAB; COBOL
    Fortran; Haskell; Elixir; Erlang; Clojure; Lua; Dart; Flutter; React, React.js, ReactJS
    React Native; Angular, AngularJS; Vue, Vue.js; Node.js, NodeJS, Node; .NET, dotnet, ASP.NET
    Spring Boot, Spring; Django; Flask; WordPress; Drupal; Magento; Shopify; Salesforce, SFDC; SAP
    SAP ABAP, ABAP; SAP FICO; SAP MM; ServiceNow; Dynamics 365; Oracle; PeopleSoft; Workday; SharePoint
    Power BI; Tableau; Qlik; Excel VBA, VBA; SQL; PL/SQL; MySQL; PostgreSQL, Postgres; MongoDB
    Snowflake; Databricks; Apache Spark, Spark; Hadoop; Kafka; Airflow; dbt; AWS, Amazon Web Services
    Azure; Google Cloud, GCP; Kubernetes, K8s; Docker; Terraform; Ansible; Jenkins; Linux
    Windows Server; VMware; Cisco; Unity; Unreal Engine, Unreal; iOS; Android; Embedded C; FPGA; VHDL
    PLC; SCADA; AutoCAD; SolidWorks; Revit; CATIA; GIS, ArcGIS; Figma; Photoshop; Selenium; Cypress
    PyTorch; TensorFlow; LLM; NLP; Blockchain; Solidity; GraphQL; Elasticsearch; Microsoft Access
    Mainframe; Delphi; Visual Basic; Groovy
"""
FORMS = ("{} developer", "{} engineer", "{} programmer", "developer {}", "developer, {}", "{} specialist")

# Each line holds names of one kind of work in technology, separated by commas.
KINDS = """
    backend developer, back end engineer, back-end developer, server side developer, backend engineer
    frontend developer, front end engineer, front-end developer, UI developer, web UI engineer
    full stack developer, fullstack engineer, full-stack web developer, full stack software engineer
    mobile developer, mobile app developer, mobile application engineer, app developer
    game developer, video game programmer, gameplay programmer, game engineer
    embedded software engineer, firmware engineer, embedded systems developer, firmware developer
    machine learning engineer, ML engineer, AI engineer, deep learning engineer
    machine learning researcher, research scientist machine learning, AI researcher, ML scientist
    data scientist, applied data scientist, senior data scientist, statistical modeller
    data engineer, ETL developer, big data engineer, data pipeline engineer, analytics engineer
    data analyst, business intelligence analyst, BI analyst, reporting analyst, insights analyst
    site reliability engineer, SRE, production engineer, reliability engineer cloud platform
    DevOps engineer, build and release engineer, CI/CD engineer, platform engineer
    cloud engineer, cloud architect, cloud infrastructure engineer, cloud solutions architect
    QA engineer, test automation engineer, SDET, quality assurance tester, software tester
    cyber security analyst, information security analyst, SOC analyst, security operations analyst
    penetration tester, ethical hacker, red team engineer, offensive security engineer
    network engineer, network administrator, LAN WAN engineer
    system administrator, sysadmin, Linux administrator, Windows system administrator
    IT support technician, help desk analyst, service desk technician, desktop support engineer
    database administrator, DBA, database engineer, SQL server DBA
    product manager, technical product manager, digital product manager, product owner
    scrum master, agile coach, agile delivery lead
    UX designer, user experience designer, UX researcher and designer, product designer, UI/UX designer
    solutions architect, enterprise architect, software architect, technical architect
    ERP consultant, SAP consultant, ERP functional consultant
    CRM consultant, Salesforce consultant, Salesforce administrator
    computer vision engineer, image processing engineer, perception engineer
    NLP engineer, natural language processing engineer, conversational AI engineer, LLM engineer
    robotics engineer, robot software engineer, robotics software developer
    blockchain developer, smart contract engineer, Web3 developer, solidity engineer
    technical writer, documentation specialist, documentation engineer
    sales engineer, presales consultant, solutions engineer, technical sales engineer
    customer success manager, client success manager, customer success lead
    growth marketer, performance marketing manager, paid media specialist, PPC specialist
    SEO specialist, search engine optimisation manager, SEO consultant
    social media manager, community manager, social media specialist
    talent acquisition specialist, recruiter, technical recruiter, sourcing specialist
    account executive, sales executive, enterprise account executive
    sales development representative, SDR, business development representative, BDR
"""


def groups() -> list[Occupation]:
    lines = [line.strip() for line in TECHNOLOGIES.strip().splitlines()]
    technologies = [tuple(part.split(", ")) for line in lines for part in line.split("; ")]
    kinds = [tuple(line.strip().split(", ")) for line in KINDS.strip().splitlines()]
    return [
        *(
            Occupation(
                f"tech:{names[0]}",
                "",
                tuple(form.format(name) for name, form in product(names, FORMS)),
                skills=names,
            )
            for names in technologies
        ),
        *(Occupation(f"kind:{names[0]}", "", names) for names in kinds),
    ]
